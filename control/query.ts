// Writes the input of GET operations as a query string.
import { MoverError } from '../contracts/errors.js';

/**
 * The input as a query string with its `?`, or '' without fields. Undefined fields are left out.
 * @throws MoverError INVALID_REQUEST for a field that is no string, number or boolean, since it has
 * no unique form in a query string.
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
