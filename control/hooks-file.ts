// Reads the file that says which hooks a worker runs.
import { readFileSync } from 'node:fs';
import { invalidField, parseOrRefuse } from '../contracts/errors.js';
import { type Hook, hooksFileSchema } from '../contracts/hooks.js';
import { parseJson } from './json-text.js';

/** The hooks; none without a file. @throws MoverError INVALID_REQUEST naming the field at fault */
export function readHooksFile(path: string | undefined): Hook[] {
  if (path === undefined) return [];
  let content: unknown;
  try {
    content = parseJson(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalidField('VOLUME_MOVER_HOOKS', `${path} cannot be read as JSON: ${why}`);
  }
  return parseOrRefuse(hooksFileSchema, content, `hooks file ${path}`).hooks;
}
