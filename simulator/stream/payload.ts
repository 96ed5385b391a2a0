// The payloads that are JSON: what is said once per connection, volume or window, where names matter more than speed.
import { z } from 'zod';
import { errorCodeSchema, MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { bytesSchema, timeMsSchema } from '../../contracts/numbers.js';

/** Longest sentence in a payload, in characters. */
const SENTENCE_LENGTH_MAX = 4_000;
const sentence = z.string().max(SENTENCE_LENGTH_MAX);

export const helloPayload = z.strictObject({ splitter: splitterIdSchema, controlUrl: z.url() });
export const attachPayload = z.strictObject({ volume: volumeIdSchema, sizeBytes: bytesSchema });
export const refusedPayload = z.strictObject({ code: errorCodeSchema, message: sentence });
export const creditPayload = z.strictObject({ grantedBytes: bytesSchema, unappliedBytes: bytesSchema });
export const initBeginPayload = z.strictObject({ sinceMs: timeMsSchema, reason: sentence });

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** @throws MoverError INVALID_REQUEST when it is no JSON or not of the schema's form. */
export function decodeJson<S extends z.ZodType>(schema: S, payload: Buffer, what: string): z.output<S> {
  return parseOrRefuse(schema, jsonOf(payload, what), what);
}

function jsonOf(payload: Buffer, what: string): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (cause) {
    throw new MoverError('INVALID_REQUEST', `The payload of ${what} is not JSON.`, { cause });
  }
}
