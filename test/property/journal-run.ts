// Runs steps on a journal and on the model side by side, and compares them wherever both can be
// asked.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { JournalError } from '../../simulator/replica-site/journal/terms/errors.js';
import type { Image, NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import { MemoryDisk } from './journal-memory-disk.js';
import { VolumeModel } from './journal-model.js';
import type { RecordSketch, Step } from './journal-steps.js';

export interface RunOptions {
  readonly sizeBytes: number;
  readonly segmentBytes: number;
  /** Crashes cut the power, and the journal must survive that. */
  readonly sync: boolean;
}

/** Images compared at the end of a run at most. */
const FINAL_IMAGES_MAX = 24;

/** Runs the steps, and checks everything that is still retained at the end. */
export async function runSteps(options: RunOptions, steps: readonly Step[]): Promise<void> {
  const run = new JournalRun(options);
  await run.reopen();
  for (const step of steps) await run.step(step);
  await run.finish();
}

class JournalRun {
  readonly #options: RunOptions;
  readonly #disk = new MemoryDisk();
  readonly #model: VolumeModel;
  #journal: VolumeJournal | undefined;
  #images: Image[] = [];
  /** What the journal said to be durable. */
  #reported = 0;
  #trimPosition = 0;
  #trimAttempted = 0;
  /** Positions let go of, or about to be when the process ended: they may be refused. */
  #letGo = new Set<number>();
  #session = 1;
  #n = 0;
  #seed = 1;
  /** Changes that the next opening survives. */
  #openingCalls: number | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#model = new VolumeModel(options.sizeBytes);
  }

  async step(step: Step): Promise<void> {
    try {
      await this.#do(step);
    } catch (error) {
      if (!this.#disk.dead) throw error;
    }
    if (this.#disk.dead) await this.reopen();
  }

  async finish(): Promise<void> {
    await nextTurn();
    this.#disk.revive();
    if (this.#journal?.failure !== undefined) await this.reopen();
    const journal = this.#open;
    journal.resumeDistribution();
    await nextTurn();
    await journal.whenApplied(this.#model.position);
    expect(journal.durable.position).toBe(this.#model.position);
    expect(journal.undistributedBytes).toBe(0);
    await this.#compareImages();
    await this.#compareAll();
    this.#compareSessions();
    await this.#compareUndoBytes();
    await journal.close();
  }

  /** Every retained position is served, and of the others none wrongly. */
  async #compareAll(): Promise<void> {
    const { durable, trimPosition } = this.#open;
    const stride = Math.max(1, Math.ceil((durable.position - trimPosition) / FINAL_IMAGES_MAX));
    for (let position = 0; position <= durable.position; position += 1) {
      const isEdge = this.#letGo.has(position - 1) || this.#letGo.has(position + 1);
      if (!isEdge && position % stride > 0 && position < durable.position) continue;
      const image = await this.#tryOpen(position);
      if (image !== undefined) await this.#compareWhole(image);
    }
  }

  /** Undefined if the position was let go of. */
  async #tryOpen(position: number): Promise<Image | undefined> {
    try {
      return await this.#open.openImage(position);
    } catch (error) {
      const trimmed = error instanceof JournalError && error.code === 'TRIMMED';
      if (trimmed && this.#letGo.has(position)) return undefined;
      throw error;
    }
  }

  async #retain(shares: readonly number[], everyFromShare: number): Promise<void> {
    const journal = this.#open;
    // Mostly with all of UNDO there, so that there is something to consolidate; else in the midst
    // of distribution.
    if (shares.length > 0) {
      journal.resumeDistribution();
      await journal.whenApplied(journal.durable.position);
    }
    const everyFrom = this.#choose(everyFromShare, journal.applied.position);
    const openable: number[] = [];
    for (let position = this.#trimPosition; position <= everyFrom; position += 1) {
      if (!this.#letGo.has(position)) openable.push(position);
    }
    // Now and then one that was let go of before: asking for it doesn't bring it back.
    const chosen = shares.map((share, index) =>
      index === 5
        ? this.#choose(share, everyFrom)
        : (openable[Math.min(openable.length - 1, Math.floor(share * openable.length))] ?? everyFrom),
    );
    const positions = [...new Set(chosen)].sort((one, other) => one - other);
    for (let position = 0; position < everyFrom; position += 1) {
      if (!positions.includes(position)) this.#letGo.add(position);
    }
    this.#trimAttempted = 0;
    while (this.#letGo.has(this.#trimAttempted)) this.#trimAttempted += 1;
    const { trimPosition, done } = await journal.retain({ positions, everyFrom });
    expect(done).toBe(true);
    this.#assertTrimmed(trimPosition);
  }

  /**
   * What was let go of when the process ended may have been stored or not, and so may still be
   * asked for.
   */
  #assertTrimmed(trimPosition: number): void {
    expect(trimPosition).toBeGreaterThanOrEqual(this.#trimPosition);
    expect(trimPosition).toBeLessThanOrEqual(Math.max(this.#trimPosition, this.#trimAttempted));
    this.#trimPosition = trimPosition;
  }

  /** However the positions are chosen, each record is counted once. */
  async #compareUndoBytes(): Promise<void> {
    const { trimPosition, durable } = this.#open;
    const all = Array.from({ length: durable.position - trimPosition + 1 }, (_, index) => trimPosition + index);
    const some = all.filter((position) => (position - trimPosition) % 3 === 0);
    const [whole, byEach, bySome] = await Promise.all(
      [[trimPosition], all, some].map(async (positions) => (await this.#open.undoBytesAfter(positions)).reduce(sum)),
    );
    expect([byEach, bySome]).toEqual([whole, whole]);
  }

  async reopen(): Promise<void> {
    await this.#journal?.close().catch(() => undefined);
    this.#images = [];
    const journal = await this.#openAfterCrash();
    this.#journal = journal;
    const { position, session, n } = journal.durable;
    expect(position).toBeGreaterThanOrEqual(this.#reported);
    expect(position).toBeLessThanOrEqual(this.#model.position);
    expect(journal.applied.position).toBeLessThanOrEqual(position);
    this.#assertTrimmed(journal.trimPosition);
    this.#reported = position;
    this.#model.cut(position);
    for (const lost of this.#letGo) if (lost > position) this.#letGo.delete(lost);
    if (position > 0) expect(this.#model.record(position)).toMatchObject({ session, n });
    this.#session = position === 0 ? this.#session + 1 : session;
    this.#n = n;
  }

  async #do(step: Step): Promise<void> {
    const journal = this.#open;
    switch (step.step) {
      case 'append':
        this.#append(step.records);
        return;
      case 'newSession':
        this.#session += 1;
        this.#n = 0;
        return;
      case 'turns':
        for (let turn = 0; turn < step.count; turn += 1) await nextTurn();
        return;
      case 'pause':
        await journal.pauseDistribution();
        return;
      case 'resume':
        journal.resumeDistribution();
        return;
      case 'openImage':
        journal.resumeDistribution();
        {
          const image = await this.#tryOpen(this.#choose(step.share, journal.durable.position));
          if (image !== undefined) this.#images.push(image);
        }
        return;
      case 'readImages':
        await this.#compareImages(step.at, step.length);
        return;
      case 'closeImage':
        this.#images.shift()?.close();
        return;
      case 'retain':
        await this.#retain(step.shares, step.everyFrom);
        return;
      case 'closeAndReopen':
        await nextTurn();
        await journal.close();
        expect(this.#reported).toBe(this.#model.position);
        await this.reopen();
        return;
      case 'dieAfter':
        this.#disk.dieAfter(step.calls, step.tornShare);
        return;
      case 'crash':
        this.#disk.dieAfter(-1, 0);
        this.#openingCalls = step.openingCalls;
    }
  }

  async #openAfterCrash(): Promise<VolumeJournal> {
    for (;;) {
      this.#disk.revive();
      if (this.#options.sync) this.#disk.losePower(() => this.#random());
      this.#disk.dieAfter(this.#openingCalls ?? Infinity, this.#random());
      this.#openingCalls = undefined;
      try {
        const journal = await openVolumeJournal({
          ...this.#options,
          directory: '/volume',
          files: this.#disk,
          onDurable: ({ position }) => {
            this.#reported = position;
          },
        });
        this.#disk.revive();
        return journal;
      } catch (error) {
        if (!this.#disk.dead) throw error;
      }
    }
  }

  #append(sketches: readonly RecordSketch[]): void {
    const records = sketches.map((sketch) => this.#record(sketch));
    const last = this.#open.append(records);
    for (const record of records) this.#model.append(record);
    expect(last).toBe(this.#model.position);
  }

  #record(sketch: RecordSketch): NewRecord {
    this.#n += 1;
    const stamp = { session: this.#session, n: this.#n, epoch: 1, timeMs: this.#n * 10 };
    const { sizeBytes } = this.#options;
    switch (sketch.kind) {
      case 'write': {
        const data = Buffer.alloc(Math.min(sketch.length, sizeBytes - sketch.at));
        for (let index = 0; index < Math.min(data.length, sketch.zeroFrom); index += 1)
          data[index] = sketch.seed + index;
        return { ...stamp, kind: 'write', offset: sketch.at, data };
      }
      case 'zeroes':
        return { ...stamp, kind: 'zeroes', offset: sketch.at, length: Math.min(sketch.length, sizeBytes - sketch.at) };
      case 'initBegin':
        return { ...stamp, kind: 'initBegin', sinceMs: 1, reason: 'outage' };
      case 'initEnd':
        return { ...stamp, kind: 'initEnd' };
    }
  }

  async #compareImages(at = 0, length = this.#options.sizeBytes): Promise<void> {
    for (const image of this.#images) await this.#compare(image, at, Math.min(length, this.#options.sizeBytes - at));
  }

  async #compareWhole(image: Image): Promise<void> {
    await this.#compare(image, 0, this.#options.sizeBytes);
    image.close();
  }

  async #compare(image: Image, at: number, length: number): Promise<void> {
    const bytes = await image.read(at, length);
    const expected = this.#model.at(image.position).subarray(at, at + length);
    if (!bytes.equals(expected)) {
      const wrong = bytes.findIndex((byte, index) => byte !== expected[index]);
      throw new Error(`image at position ${image.position} differs at byte ${at + wrong}`);
    }
  }

  #compareSessions(): void {
    for (let position = 1; position <= this.#model.position; position += 1) {
      const record = this.#model.record(position);
      expect(this.#open.locate(position)).toEqual({ position, session: record?.session, n: record?.n });
      expect(this.#open.sessionBase(record?.session ?? 0)).toBe(position - (record?.n ?? 0));
    }
  }

  #choose(share: number, upper: number): number {
    return Math.min(upper, this.#trimPosition + Math.floor(share * (upper - this.#trimPosition + 1)));
  }

  /** A small generator of its own, so that a run depends on its steps only. */
  #random(): number {
    this.#seed = (this.#seed * 48271) % 0x7fff_ffff;
    return this.#seed / 0x7fff_ffff;
  }

  get #open(): VolumeJournal {
    if (this.#journal === undefined) throw new Error('the journal was never opened');
    return this.#journal;
  }
}

function sum(one: number, other: number): number {
  return one + other;
}
