// GET operations take their input from the query string; this is how it gets there.
import { MoverError } from '../contracts/errors.js';

/**
 * The input as a query string with its `?`, or '' without fields. What is undefined is left out.
 * @throws MoverError INVALID_REQUEST for a field that is no string, number or boolean: it has no
 * one form in a query string.
 */
export function queryString(input: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [field, value] of Object.entries(input)) {
    if (value === undefined) continue;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      const message = 'a string, number or boolean is accepted in a query string';
      throw new MoverError('INVALID_REQUEST', `${field}: ${message}`, {
        reasons: [{ code: 'INVALID_REQUEST', subject: field, message }],
      });
    }
    query.set(field, String(value));
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}
