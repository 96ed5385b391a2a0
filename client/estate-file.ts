// Finds and reads the estate file: the one place that says where splitters, appliances and Temporal
// listen.
import { join, resolve } from 'node:path';
import type { Estate } from '../contracts/estate.js';
import { readEstateFile as readFrom } from '../control/estate-file.js';

/** Where `npm start` keeps everything, below the project's folder. */
export const ESTATE_FOLDER = '.estate';
/** The estate file with the ports in use, in a running estate's data folder. */
export const ESTATE_FILE = 'estate.json';

export interface FindEstateOptions {
  /** A path given by the user; it wins. */
  readonly path?: string | undefined;
  /** Default: this process's environment; `VOLUME_MOVER_ESTATE` comes second. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Where to look for `.estate/estate.json` last; default: the current folder. */
  readonly folder?: string;
}

/** The path to read; that the file exists is not checked. */
export function findEstateFile({ path, environment = process.env, folder = '.' }: FindEstateOptions = {}): string {
  const named = path ?? environment['VOLUME_MOVER_ESTATE'];
  return resolve(named === undefined || named === '' ? join(folder, ESTATE_FOLDER, ESTATE_FILE) : named);
}

/**
 * @throws MoverError INVALID_REQUEST when the file is missing, is no JSON, or names every field at
 * fault.
 */
export function readEstateFile(path: string): Estate {
  const whenMissing =
    'is missing: start an estate with `npm start`, or name its file with --estate or VOLUME_MOVER_ESTATE';
  return readFrom(path, { subject: 'estate', whenMissing });
}
