// `npm start`: a whole estate on fixed ports, with everything it knows kept in one folder, until
// Ctrl-C.
import { Command } from 'commander';
import { join } from 'node:path';
import { ESTATE_FOLDER } from '../client/estate-file.js';
import { DEFAULT_ESTATE_FILE, PROJECT_FOLDER } from './project.js';
import { runStart, type StartOptions } from './run-start.js';

const options = new Command('npm start --')
  .description('Runs a whole estate until Ctrl-C. What it knows is kept, and found again at the next start.')
  .option('--estate <file>', 'the estate file: copy estate/default-estate.json to change it', DEFAULT_ESTATE_FILE)
  .option('--data <folder>', 'where everything is kept', join(PROJECT_FOLDER, ESTATE_FOLDER))
  .parse()
  .opts<StartOptions>();

// Every process of the estate goes with this one: a fault in here is told, and takes none of them
// down.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) =>
    console.error('volume-mover: a fault of the launcher itself; the estate goes on:', error),
  );
}

process.exitCode = await runStart(options);
// What a stopped connection may leave behind must not keep the process.
process.exit();
