// Handles damage to UNDO: gives up the positions that need the damaged records, moves useless files
// aside, and keeps using the rest.
import type { Aside } from '../files/aside.js';
import { withHistory } from '../terms/damage.js';
import type { ByteRange, Damage, DamagePlace } from '../terms/damage.js';
import type { Files } from '../terms/files.js';
import type { Manifest } from '../manifest/manifest.js';
import type { RecordHeader } from '../segments/record-format.js';
import type { Replica } from '../replica/replica.js';
import { oldest } from '../terms/retained-positions.js';
import { findSoundRest } from '../segments/scan.js';
import type { Segment } from '../segments/segment-log.js';
import { rewriteSegments } from './segment-rewrite.js';
import type { Durable, JournalLog } from '../terms/types.js';
import type { UndoLog } from './undo-log.js';

/** A signature that no retained positions have: the next consolidation reads the segment. */
const UNEXAMINED = { intervalStart: -1, positionsWithin: 0xffff_ffff };

/**
 * Notes in the manifest that no position before `before` opens any more. Save it before any file is
 * removed.
 */
export function loseHistory(manifest: Manifest, loss: { readonly before: number; readonly place: DamagePlace }): void {
  const { before, place } = loss;
  const { positions, everyFrom } = manifest.retained;
  const from = manifest.trimPosition;
  if (before <= from) return;
  manifest.damage = withHistory(manifest.damage, { kind: 'history', from, to: before - 1, ...place });
  const retained = {
    positions: positions.filter((position) => position >= before),
    everyFrom: Math.max(everyFrom, before),
  };
  manifest.retained = retained;
  manifest.trimPosition = oldest(retained);
}

/** The damage, with the replica image's part replaced by what is known now. */
export function withReplica(all: readonly Damage[], replica: Replica): readonly Damage[] {
  const known = all.find((damage) => damage.kind === 'replica');
  const ranges = replica.damagedRanges;
  if (ranges.length === 0 && known === undefined) return all;
  if (known !== undefined && isSame(known.ranges, ranges)) return all;
  const others = all.filter((damage) => damage.kind !== 'replica');
  const [first] = ranges;
  if (first === undefined) return others;
  return [...others, { kind: 'replica', ranges: [...ranges], file: replica.path, offset: first.offset }];
}

function isSame(one: readonly ByteRange[], other: readonly ByteRange[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ offset, length }, index) => offset === other[index]?.offset && length === other[index]?.length)
  );
}

export interface HistoryLossOptions {
  readonly files: Files;
  readonly sync: boolean;
  readonly manifest: Manifest;
  readonly replica: Replica;
  readonly undo: UndoLog;
  readonly aside: Aside;
  readonly log: JournalLog | undefined;
  readonly applied: () => Durable;
}

/** Gives up damaged history. Use it while nothing else changes the list of UNDO segments. */
export class HistoryLoss {
  readonly #options: HistoryLossOptions;

  constructor(options: HistoryLossOptions) {
    this.#options = options;
  }

  /**
   * Handles records that can't be read from byte `at` of the segment on. Nobody knows which bytes
   * they covered, so every position before the next sound record is given up, with all UNDO before
   * it. False if the segment is no longer part of UNDO.
   */
  async lose(path: string, at: number): Promise<boolean> {
    const { files, manifest, replica, undo, sync, applied, log } = this.#options;
    const segment = undo.segments.find((one) => one.path === path);
    if (segment === undefined) return false;
    if (segment === undo.growing) undo.seal();
    const { bytes, lastPosition } = segment;
    const range = { from: at, to: bytes, payloads: false };
    const rest = await findSoundRest(files, path, range, { first: 0, last: lastPosition });
    const before = rest?.position ?? lastPosition;
    const place = { file: path, offset: at };
    const { position, timeMs } = applied();
    if (sync) await replica.commit();
    if (position > manifest.floor.position) manifest.floor = { position, timeMs };
    loseHistory(manifest, { before, place });
    await manifest.save();
    log?.warn({ ...place, before }, 'history before a position was lost');
    undo.retireAside(before);
    if (rest === undefined || lastPosition <= before) return true;
    const kept = await rewriteSegments({ files, sync }, [restOf(segment, rest)], UNEXAMINED);
    undo.replaceAside(segment, kept);
    return true;
  }

  /** Notes that one record's old data is damaged, for the positions whose images need it. */
  async note(header: Pick<RecordHeader, 'position' | 'offset' | 'length'>, place: DamagePlace): Promise<void> {
    const { manifest, undo } = this.#options;
    const { position, offset, length } = header;
    const bytes = { offset, length };
    const needed = await undo.neededFrom(position, bytes, manifest.trimPosition);
    const from = Math.max(needed, manifest.trimPosition);
    if (from >= position) return;
    const damage = withHistory(manifest.damage, { kind: 'history', from, to: position - 1, bytes, ...place });
    // Damage that a full disk kept from being stored is stored by the next call.
    if (damage === manifest.damage && !manifest.isBehind) return;
    manifest.damage = damage;
    await manifest.save();
  }
}

function restOf(segment: Segment, { at, position }: { readonly at: number; readonly position: number }) {
  const { bytes } = segment;
  return {
    segment: { ...segment, firstPosition: position, continued: true },
    bytes,
    parts: [{ kind: 'bytes' as const, from: at, to: bytes }],
    keptBytes: bytes - at,
  };
}
