// Entry of the `volume-mover` command.
import { runCli } from './program.js';

// `volume-mover points ... | head` closes the pipe early. That is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2));
