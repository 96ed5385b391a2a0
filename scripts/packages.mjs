// Installs the locked packages when node_modules is missing or differs from package-lock.json.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { root } from './root.mjs';
import { runTool } from './run-tool.mjs';
import { say } from './say.mjs';

/** npm writes this file last, so it also marks a complete installation. */
const INSTALLED_LOCK = join(root, 'node_modules', '.package-lock.json');
const WANTED_LOCK = join(root, 'package-lock.json');

/** Runs `npm ci` unless exactly the packages of the lock file are installed. */
export async function installPackages() {
  if (await isInstalled()) return;
  say('Installing packages (npm ci) ...');
  // The project's .npmrc silences npm's banner and its errors; the errors must show here.
  const code = await runTool('npm', ['ci', '--loglevel=warn', '--no-audit', '--no-fund'], { stdout: 'stderr' });
  if (code !== 0) throw new Error(`npm ci failed with exit code ${code}.`);
}

async function isInstalled() {
  const [wanted, installed] = await Promise.all([readPackages(WANTED_LOCK), readPackages(INSTALLED_LOCK)]);
  if (wanted === undefined) throw new Error('package-lock.json is missing or unreadable.');
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed[path];
    // The lock file also lists optional packages of other platforms.
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

async function readPackages(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}
