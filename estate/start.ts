// `npm start`: a whole estate on fixed ports until Ctrl-C, with all its data kept in one folder.
import { Command } from 'commander';
import { join } from 'node:path';
import { ESTATE_FOLDER } from '../client/estate-file.js';
import { DEFAULT_ESTATE_FILE, PROJECT_FOLDER } from './project.js';
import { runStart, type StartOptions } from './run-start.js';

const options = new Command('npm start --')
  .description('Runs a whole estate until Ctrl-C. Its data is kept for the next start.')
  .option('--estate <file>', 'the estate file: copy estate/default-estate.json to change it', DEFAULT_ESTATE_FILE)
  .option('--data <folder>', 'the folder for all data', join(PROJECT_FOLDER, ESTATE_FOLDER))
  .parse()
  .opts<StartOptions>();

// Every process of the estate ends with this one, so a fault of the launcher is reported and
// doesn't end it.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) =>
    console.error('volume-mover: the launcher itself has a fault; the estate keeps running:', error),
  );
}

process.exitCode = await runStart(options);
// A stopped connection's leftovers must not keep the process alive.
process.exit();
