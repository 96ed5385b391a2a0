// The JSON payloads: sent once per connection, volume or credit window, where names matter more
// than speed.
import { z } from 'zod';
import { errorCodeSchema, MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { ticketedAttemptSchema, verdictSchema } from '../../contracts/attempt.js';
import { groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import {
  adviceSchema,
  confirmedSchema,
  lifeIdSchema,
  lineageIdSchema,
  sourceIdSchema,
} from '../../contracts/lineage.js';
import { bytesSchema, countSchema, positionSchema, timeMsSchema } from '../../contracts/numbers.js';

/** Longest sentence in a payload, characters. */
const SENTENCE_LENGTH_MAX = 4_000;
/**
 * Most runs of regions in one answer; more become "not known". A volume's queue at its splitter
 * (64 MiB) holds some 15,000 writes of 4 KiB.
 */
export const TOUCHED_RUNS_MAX = 65_536;
const sentence = z.string().max(SENTENCE_LENGTH_MAX);

export const helloPayload = z.strictObject({ splitter: splitterIdSchema, controlUrl: z.url() });
export const attachPayload = z.strictObject({
  volume: volumeIdSchema,
  sizeBytes: bytesSchema,
  life: lifeIdSchema,
  group: groupIdSchema,
  source: sourceIdSchema,
  replaces: z.boolean(),
  confirmed: confirmedSchema.optional(),
  ticket: countSchema,
  decided: z.strictObject({ attempt: ticketedAttemptSchema, verdict: verdictSchema }).optional(),
  over: countSchema.optional(),
});
export const attachedPayload = z.strictObject({
  lineage: lineageIdSchema,
  base: positionSchema,
  former: lifeIdSchema.optional(),
  touched: z
    .array(z.tuple([countSchema, countSchema]))
    .max(TOUCHED_RUNS_MAX)
    .optional(),
  initializing: z.literal(true).optional(),
});
export const refusedPayload = z.strictObject({
  code: errorCodeSchema,
  message: sentence,
  advice: adviceSchema.optional(),
});
export const creditPayload = z.strictObject({ grantedBytes: bytesSchema, unappliedBytes: bytesSchema });
export const initBeginPayload = z.strictObject({ sinceMs: timeMsSchema, reason: sentence });

export function encodeJson(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Decodes a payload. @throws MoverError INVALID_REQUEST unless it is JSON of the schema's form */
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
