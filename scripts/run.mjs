// Every `npm run ...` goes through here, so that each works in a fresh clone: it checks Node.js,
// installs the packages, builds, finds or builds the Temporal server, as far as the command needs
// them, and then runs the command. Plain JavaScript without packages: it runs before there are any.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { buildIfStale } from './build.mjs';
import { commands } from './commands.mjs';
import { requireNodeVersion } from './node-version.mjs';
import { installPackages } from './packages.mjs';
import { root } from './root.mjs';
import { runTool } from './run-tool.mjs';
import { say } from './say.mjs';
import { ensureTemporal } from './temporal.mjs';

const [name = '', ...args] = process.argv.slice(2);

if (await setUp()) await run();

/** Prepares what the command needs; says what is wrong and sets the exit code when it can't. */
async function setUp() {
  try {
    requireNodeVersion();
    const command = commands[name];
    if (command === undefined) {
      throw new Error(`There is no command '${name}'. The commands are: ${Object.keys(commands).join(', ')}.`);
    }
    await installPackages();
    if (command.build === true || command.temporal === true) await buildIfStale();
    if (command.temporal === true) await ensureTemporal(command.entry === undefined);
    return true;
  } catch (error) {
    say(`volume-mover: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return false;
  }
}

async function run() {
  const { entry, takes, tools = [] } = commands[name];
  if (takes !== undefined) say(`npm run ${name} takes ${takes}.`);
  for (const [index, [tool, ...toolArgs]] of tools.entries()) {
    const code = await runTool(tool, index === tools.length - 1 ? [...toolArgs, ...args] : toolArgs);
    if (code !== 0) {
      process.exitCode = code;
      return;
    }
  }
  if (entry !== undefined) {
    // In this very process: signals, standard streams and the exit code need no passing on.
    const path = join(root, 'dist', entry);
    process.argv = [process.execPath, path, ...args];
    process.setSourceMapsEnabled(true);
    await import(pathToFileURL(path).href);
  }
}
