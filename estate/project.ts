// Finds the project's own files, whether this code runs compiled from dist/ or from source.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the project's folder. */
export const PROJECT_FOLDER = findProjectFolder(dirname(fileURLToPath(import.meta.url)));

/** The estate of `npm start`, with fixed ports: a template to copy and edit. */
export const DEFAULT_ESTATE_FILE = join(PROJECT_FOLDER, 'estate', 'default-estate.json');

/** Path of a process's compiled entry module, e.g. `simulator/splitter/main`. */
export function entryPoint(module: string): string {
  return join(PROJECT_FOLDER, 'dist', `${module}.js`);
}

function findProjectFolder(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('The project folder, with its package.json, is not above this file.');
  return findProjectFolder(parent);
}
