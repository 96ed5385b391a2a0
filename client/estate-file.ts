// Finds and reads the estate file, which says where splitters, appliances and Temporal listen.
import { join, resolve } from 'node:path';
import type { Estate } from '../contracts/estate.js';
import { readEstateFile as readFrom } from '../control/estate-file.js';

/** Folder below the project's, where `npm start` keeps everything. */
export const ESTATE_FOLDER = '.estate';
/** Name of the estate file in a running estate's data folder. It has the ports in use. */
export const ESTATE_FILE = 'estate.json';

export interface FindEstateOptions {
  /** A path given by the user; it takes precedence. */
  readonly path?: string | undefined;
  /**
   * Environment with `VOLUME_MOVER_ESTATE`, the second choice. Default: this process's environment.
   */
  readonly environment?: NodeJS.ProcessEnv;
  /** Folder with `.estate/estate.json`, the last choice. Default: the current folder. */
  readonly folder?: string;
}

/** The path to read. Whether the file exists is not checked. */
export function findEstateFile({ path, environment = process.env, folder = '.' }: FindEstateOptions = {}): string {
  const named = path ?? environment['VOLUME_MOVER_ESTATE'];
  return resolve(named === undefined || named === '' ? join(folder, ESTATE_FOLDER, ESTATE_FILE) : named);
}

/**
 * Reads the estate file. @throws MoverError INVALID_REQUEST when it is missing or no JSON, or
 * naming every field at fault.
 */
export function readEstateFile(path: string): Estate {
  const whenMissing =
    'is missing: start an estate with `npm start`, or name its file with --estate or VOLUME_MOVER_ESTATE';
  return readFrom(path, { subject: 'estate', whenMissing });
}
