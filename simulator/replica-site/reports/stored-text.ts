// Values in the store: JSON, checked when they are read, because another version may have written
// them.
import type { z } from 'zod';
import { MoverError } from '../../../contracts/errors.js';

/**
 * Parses a stored value.
 * @throws MoverError CORRUPT if it is not of the form that this version knows
 */
export function readStored<S extends z.ZodType>(schema: S, text: string, what: string): z.output<S> {
  const result = schema.safeParse(jsonOf(text));
  if (result.success) return result.data;
  throw new MoverError(
    'CORRUPT',
    `The stored ${what} is not of the form that this version knows: ${result.error.message}`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Digits of a number in a key, so that keys sort like the numbers: enough for a time or a count.
 */
const DIGITS = 16;

export function ordered(number: number): string {
  return String(number).padStart(DIGITS, '0');
}
