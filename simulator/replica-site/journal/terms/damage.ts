// Damage of a journal: stored in its manifest, reported to people, and checked before a position is
// opened.
import { z } from 'zod';
import { countBefore } from './retained-positions.js';
import type { Retained } from './retained-positions.js';

const safe = z.int().nonnegative();
const byteRange = z.strictObject({ offset: safe, length: z.int().positive() });
/** A part of the volume, bytes. */
export type ByteRange = z.infer<typeof byteRange>;

/** Where damage was found: a file, and a byte of it. */
export interface DamagePlace {
  readonly file: string;
  readonly offset: number;
}

const place = { file: z.string(), offset: safe };

/**
 * Kinds of damage:
 * - `history`: old data that images of the positions `from` to `to` need can't be read. `bytes` are
 *   the damaged bytes of the volume; without it they are unknown, and none of the positions opens.
 *   `accepted` by a rebuild: only these positions report it.
 * - `records`: records after `after` up to `upTo` were durable and are lost. `ranges` of the volume
 *   must be sent again. Positions after `after` don't open before `wholeFrom`, where a short
 *   initialization after the loss ended.
 * - `replica`: blocks of the replica image fail their check. An overwrite heals them.
 */
export const damageSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('history'),
    from: safe,
    to: safe,
    bytes: z.exactOptional(byteRange),
    accepted: z.exactOptional(z.literal(true)),
    ...place,
  }),
  z.strictObject({
    kind: z.literal('records'),
    after: safe,
    upTo: safe,
    ranges: z.union([z.literal('all'), z.array(byteRange)]),
    wholeFrom: z.exactOptional(safe),
    ...place,
  }),
  z.strictObject({ kind: z.literal('replica'), ranges: z.array(byteRange), ...place }),
]);
export type Damage = Readonly<z.infer<typeof damageSchema>>;
export type DamageOf<Kind extends Damage['kind']> = Extract<Damage, { kind: Kind }>;

/** Most entries of damaged history; beyond it they become one entry that covers them all. */
const HISTORY_ENTRIES_MAX = 256;

/** Why a position can't be served whole; undefined if no damage is known. */
export function damageAt(all: readonly Damage[], position: number): Damage | undefined {
  const concerning = all.filter((damage) => concerns(damage, position));
  return concerning.find((damage) => damage.kind !== 'history' || damage.bytes === undefined) ?? concerning[0];
}

/** The last position up to the given one whose record is not lost. */
export function soundPosition(all: readonly Damage[], position: number): number {
  let sound = position;
  // The latest loss first: an earlier loss may end where the later one begins.
  for (const damage of all.filter((one) => one.kind === 'records').toSorted((a, b) => b.upTo - a.upTo))
    if (sound > damage.after && sound <= damage.upTo) sound = damage.after;
  return sound;
}

/** Whether the damage concerns every byte of the position. */
export function isWhole(damage: Damage): boolean {
  return damage.kind === 'records' || (damage.kind === 'history' && damage.bytes === undefined);
}

function concerns(damage: Damage, position: number): boolean {
  switch (damage.kind) {
    case 'history':
      return position >= damage.from && position <= damage.to;
    case 'records':
      return position > damage.after && (damage.wholeFrom === undefined || position < damage.wholeFrom);
    case 'replica':
      return false;
  }
}

/** The same damage, marked as known to people. */
export function accepted(damage: Damage): Damage {
  return damage.kind === 'history' ? { ...damage, accepted: true } : damage;
}

/** Adds lost records; replaces an earlier entry of the same loss. */
export function withRecords(all: readonly Damage[], lost: DamageOf<'records'>): readonly Damage[] {
  const isOther = (damage: Damage): boolean => damage.kind !== 'records' || damage.wholeFrom !== undefined;
  return [...all.filter((damage) => isOther(damage) || damage.kind !== 'records' || damage.upTo < lost.after), lost];
}

/** Adds damaged history that no entry covers yet. */
export function withHistory(all: readonly Damage[], found: DamageOf<'history'>): readonly Damage[] {
  const entries = all.filter((damage) => damage.kind === 'history');
  if (entries.some((one) => includes(one, found))) return all;
  if (entries.length < HISTORY_ENTRIES_MAX) return [...all, found];
  const { bytes: _bytes, ...merged } = found;
  const from = Math.min(found.from, ...entries.map((one) => one.from));
  const to = Math.max(found.to, ...entries.map((one) => one.to));
  return [...all.filter((damage) => damage.kind !== 'history'), { ...merged, from, to }];
}

function includes(one: DamageOf<'history'>, other: DamageOf<'history'>): boolean {
  if (other.from < one.from || other.to > one.to) return false;
  if (one.bytes === undefined) return true;
  const { bytes } = other;
  if (bytes === undefined) return false;
  return bytes.offset >= one.bytes.offset && bytes.offset + bytes.length <= one.bytes.offset + one.bytes.length;
}

/** Drops damage that concerns none of the positions still retained. */
export function withoutDropped(all: readonly Damage[], { positions, everyFrom }: Retained): readonly Damage[] {
  const isRetained = (from: number, to: number): boolean => {
    return to >= everyFrom || countBefore(positions, from) < countBefore(positions, to + 1);
  };
  const kept = all.filter((damage) => {
    switch (damage.kind) {
      case 'history':
        return isRetained(damage.from, damage.to);
      case 'records':
        return damage.wholeFrom === undefined || isRetained(damage.after + 1, damage.wholeFrom - 1);
      case 'replica':
        return true;
    }
  });
  return kept.length === all.length ? all : kept;
}

/**
 * What must be sent again before the volume is whole: ranges, or all of it; undefined if nothing.
 */
export function rangesToResend(all: readonly Damage[]): readonly ByteRange[] | 'all' | undefined {
  const ranges: ByteRange[] = [];
  let isNeeded = false;
  for (const damage of all) {
    if (damage.kind === 'history' || (damage.kind === 'records' && damage.wholeFrom !== undefined)) continue;
    isNeeded = true;
    if (damage.ranges === 'all') return 'all';
    ranges.push(...damage.ranges);
  }
  return isNeeded ? ranges : undefined;
}
