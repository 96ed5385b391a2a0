// The entry of every `npm run ...`, so that each command works in a fresh clone: checks Node.js,
// installs the packages, builds, and finds or builds the Temporal server, as far as the command
// needs them; then runs the command. Plain JavaScript without packages: it runs before they are
// installed.
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

/**
 * Prepares what the command needs. @returns whether it could; otherwise the error is printed and
 * the exit code set
 */
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
    // Runs in this process, so signals, standard streams and the exit code need no forwarding.
    const path = join(root, 'dist', entry);
    process.argv = [process.execPath, path, ...args];
    process.setSourceMapsEnabled(true);
    await import(pathToFileURL(path).href);
  }
}
