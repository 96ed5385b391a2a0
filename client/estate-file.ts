// Finds and reads the estate file: the one place that says where splitters, appliances and Temporal listen.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MoverError, parseOrRefuse } from '../contracts/errors.js';
import { type Estate, estateSchema } from '../contracts/estate.js';

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

/** @throws MoverError INVALID_REQUEST when the file is missing, is no JSON, or names every field at fault. */
export async function readEstateFile(path: string): Promise<Estate> {
  return parseOrRefuse(estateSchema, await readJson(path), `estate file ${path}`);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const message = isMissing(cause)
      ? 'is missing: start an estate with `npm start`, or name its file with --estate or VOLUME_MOVER_ESTATE'
      : `cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new MoverError('INVALID_REQUEST', `The estate file ${path} ${message}.`, {
      reasons: [{ code: 'INVALID_REQUEST', subject: 'estate', message }],
      cause,
    });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
