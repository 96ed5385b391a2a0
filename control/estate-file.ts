// Reads the estate file and the environment that names it. Every process and the client refuse it
// in the same words.
import { readFileSync } from 'node:fs';
import { parseOrRefuse, MoverError } from '../contracts/errors.js';
import { type Estate, estateSchema } from '../contracts/estate.js';
import { parseJson } from './json-text.js';

interface Naming {
  readonly subject: string;
  readonly whenMissing: string;
}

const BY_ENVIRONMENT: Naming = {
  subject: 'VOLUME_MOVER_ESTATE',
  whenMissing: 'is missing: set VOLUME_MOVER_ESTATE to the path of an estate file',
};

/**
 * Reads the estate file.
 * @param named the subject of a refusal (what names the file), and the end of the sentence for a
 * missing file.
 * @throws MoverError INVALID_REQUEST naming the file, and the field at fault if the file could be
 * read.
 */
export function readEstateFile(path: string, named: Naming = BY_ENVIRONMENT): Estate {
  return parseOrRefuse(estateSchema, readJson(path, named), `estate file ${path}`);
}

/**
 * The estate that the content of a file describes.
 * @throws MoverError INVALID_REQUEST naming the field at fault; SyntaxError unless it is JSON
 */
export function estateOf(path: string, content: string): Estate {
  return parseOrRefuse(estateSchema, parseJson(content), `estate file ${path}`);
}

function readJson(path: string, { subject, whenMissing }: Naming): unknown {
  try {
    return parseJson(readFileSync(path, 'utf8'));
  } catch (cause) {
    const unreadable = `cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`;
    const message = isMissing(cause) ? whenMissing : unreadable;
    throw new MoverError('INVALID_REQUEST', `The estate file ${path} ${message}.`, {
      reasons: [{ code: 'INVALID_REQUEST', subject, message }],
      cause,
    });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Removes empty variables: compose files set a variable to nothing to leave it out. */
export function withoutEmpty(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}
