// The state of docs/model/move.qnt, as its traces have it.
import { z } from 'zod';

const cutSchema = z.object({ s: z.number(), n: z.number() });
/** A map from numbers. */
const mapOf = <T>(value: z.ZodType<T>) =>
  z
    .array(z.tuple([z.number(), z.unknown()]))
    .transform((pairs) => new Map(pairs.map(([key, content]): [number, T] => [key, value.parse(content)])));

const splitSchema = z.object({
  epoch: z.number(),
  group: z.string(),
  notice: z.number(),
  fence: z.number(),
  cut: cutSchema,
  lapsed: z.boolean(),
  void: z.boolean(),
  decided: z.number(),
  verdict: z.string(),
  gone: z.number(),
  source: z.number(),
  mark: z.boolean(),
  session: z.number(),
  lastN: z.number(),
  queue: z.array(z.object({ kind: z.string(), n: z.number(), tok: z.number() })),
  synced: z.boolean(),
  dirty: z.boolean(),
  connected: z.boolean(),
  holds: z.array(z.number()),
});
export type SpecSplit = z.infer<typeof splitSchema>;

const frameSchema = z.object({
  v: z.number(),
  s: z.number(),
  n: z.number(),
  e: z.number(),
  kind: z.string(),
  tok: z.number(),
});

const volSchema = z.object({
  epoch: z.number(),
  group: z.string(),
  session: z.number(),
  sealed: z.boolean(),
  hole: z.boolean(),
  over: z.number(),
  log: z.array(frameSchema),
});

const recordSchema = z.object({
  state: z.string(),
  ticket: z.number(),
  left: mapOf(z.number()),
  cuts: mapOf(cutSchema),
  isSealed: z.boolean(),
  isBookmarked: z.boolean(),
  isJoined: z.boolean(),
});

const yesSchema = z.object({
  name: z.string(),
  t: z.number(),
  v: z.number(),
  ticket: z.number(),
  cut: cutSchema,
  held: z.boolean(),
  state: z.string(),
});
export type SpecYes = z.infer<typeof yesSchema>;

const worldSchema = z.object({
  splits: mapOf(splitSchema),
  vols: mapOf(volSchema),
  records: mapOf(recordSchema),
  yes: z.array(yesSchema),
});
export type SpecWorld = z.infer<typeof worldSchema>;

const didSchema = z.object({
  name: z.string(),
  t: z.number(),
  ticket: z.number(),
  v: z.number(),
  s: z.number(),
  n: z.number(),
  e: z.number(),
  cuts: mapOf(cutSchema),
});
export type SpecStep = z.infer<typeof didSchema>;

export const stateSchema = z.object({ w: worldSchema, did: didSchema });
