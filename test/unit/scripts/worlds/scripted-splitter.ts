// The splitter's cores for scripts: SplitterCore and VolumeSplits, with disk and time in memory.
import type { ClockDoubt } from '../../../../contracts/clock.js';
import { MoverError } from '../../../../contracts/errors.js';
import { type SplitterId, splitterIdSchema, type VolumeId } from '../../../../contracts/ids.js';
import { type Confirmed, sourceIdSchema } from '../../../../contracts/lineage.js';
import { lifeOf } from '../../../support/identities.js';
import { MemorySpill } from '../../../support/spill-files.js';
import type { UnusableVolume } from '../../../../contracts/splitter-api.js';
import type { Moment } from '../../../../control/clock/clock.js';
import { MemoryBudget } from '../../../../simulator/splitter/core/copies.js';
import { Marks, REGION_BYTES } from '../../../../simulator/splitter/core/marks.js';
import { type PendingVerdict, SplitterCore } from '../../../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit, type VolumeSplitRow } from '../../../../simulator/splitter/core/volume-split.js';

export const SPLITTER = splitterIdSchema.parse('s1');
/**
 * The wall clock is ahead of the monotonic one, so that a rule that takes one for the other shows.
 */
const WALL_AHEAD_MS = 1_000_000;

export interface Limits {
  readonly queueBytes: number;
  readonly memoryBytes: number;
  readonly spillBytes: number;
}

export class ScriptedSplitter {
  readonly id: SplitterId;
  core: SplitterCore;
  limits: Limits = { queueBytes: 8 * REGION_BYTES, memoryBytes: 16 * REGION_BYTES, spillBytes: 0 };
  /** What the disk has: a life begins with it. */
  readonly rows = new Map<VolumeId, VolumeSplitRow>();
  readonly bitmaps = new Map<VolumeId, Uint8Array>();
  readonly confirmed = new Map<VolumeId, Confirmed>();
  readonly unusable = new Map<VolumeId, UnusableVolume>();
  readonly spills = new Map<VolumeId, MemorySpill>();
  disk: 'fine' | 'full' | 'broken' = 'fine';
  session = 0;
  /** The number of each life so far: 1, 2, 3 and so on. */
  readonly lives: number[] = [];
  monotonicMs = 0;
  wallMs = WALL_AHEAD_MS;
  clockDoubt: ClockDoubt | undefined;
  /** Verdicts that are to be asked for, as the last command named them. */
  pending: readonly PendingVerdict[] = [];
  #writes = 0;
  #sources = 0;
  #stored: string[] = [];

  constructor(id: SplitterId = SPLITTER) {
    this.id = id;
    this.core = new SplitterCore({ splitter: id, life: lifeOf(0), volumes: [], store: () => undefined });
  }

  /** Which rows were stored since the last call of this, a line for each transaction. */
  takeStored(): string[] {
    const stored = this.#stored;
    this.#stored = [];
    return stored;
  }

  /** Another host: nothing is stored yet. */
  forget(): void {
    for (const stored of [this.rows, this.bitmaps, this.confirmed, this.unusable]) stored.clear();
    this.lives.length = 0;
    this.session = 0;
  }

  /** Begins a life with what the disk has. Its monotonic clock begins at 0. */
  begin(session: number): void {
    const { limits } = this;
    this.session = Math.max(session, this.session);
    this.lives.push(this.lives.length + 1);
    this.monotonicMs = 0;
    const budget = new MemoryBudget(limits.memoryBytes);
    this.core = new SplitterCore({
      splitter: this.id,
      life: lifeOf(this.lives.length),
      unusable: this.unusable,
      volumes: [...this.rows.values()].map((row) => this.#split(row, session, budget)),
      store: (rows) => this.#store(rows),
      onStored: (rows) => this.#stored.push(`stored ${rows.map((row) => row.volume).join(' ')}`),
    });
  }

  #split(row: VolumeSplitRow, session: number, budget: MemoryBudget): VolumeSplit {
    const spill = new MemorySpill(this.limits.spillBytes);
    this.spills.set(row.volume, spill);
    const marks = new Marks(row.sizeBytes, this.bitmaps.get(row.volume)?.slice());
    if (row.comparing !== undefined) marks.doubtMarked();
    return new VolumeSplit({
      row,
      splitter: this.id,
      session,
      life: lifeOf(this.lives.length),
      marks,
      budget,
      spill,
      queueMaxBytes: this.limits.queueBytes,
      nowMs: this.wallMs,
      beganAtMs: this.monotonicMs,
      startReason: row.comparing ?? 'splitter restarted',
      confirmed: this.confirmed.get(row.volume),
    });
  }

  #store(rows: readonly VolumeSplitRow[]): void {
    if (this.disk === 'full') throw new MoverError('STORAGE_FULL', 'no room');
    if (this.disk === 'broken') throw new Error('a bug in the store');
    for (const row of rows) this.rows.set(row.volume, row);
  }

  storeMarks({ volume, marks }: VolumeSplit): void {
    this.bitmaps.set(volume, marks.bytes(0, marks.byteLength).slice());
  }

  get now(): Moment {
    const { monotonicMs, wallMs, clockDoubt: doubt } = this;
    return doubt === undefined ? { monotonicMs, wallMs } : { monotonicMs, wallMs, doubt };
  }

  /** The content of the next write: "a", then "b" and so on. */
  nextContent(length: number): Buffer {
    this.#writes += 1;
    return Buffer.alloc(length, 'a'.charCodeAt(0) + this.#writes - 1);
  }

  /** The identity of another disk. */
  newSource(): VolumeSplitRow['source'] {
    this.#sources += 1;
    return sourceIdSchema.parse(String(this.#sources).padStart(32, 'd'));
  }
}
