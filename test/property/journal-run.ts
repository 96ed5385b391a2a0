// Runs steps on a journal and on the model side by side, and compares them wherever both can be asked.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Image, NewRecord, VolumeJournal } from '../../simulator/replica-site/journal/types.js';
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
    const stride = Math.max(1, Math.ceil((journal.durable.position - this.#trimPosition) / FINAL_IMAGES_MAX));
    for (let position = journal.trimPosition; position <= journal.durable.position; position += stride) {
      await this.#compareWhole(await journal.openImage(position));
    }
    this.#compareSessions();
    await journal.close();
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
    expect([this.#trimPosition, this.#trimAttempted]).toContain(journal.trimPosition);
    this.#trimPosition = journal.trimPosition;
    this.#reported = position;
    this.#model.cut(position);
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
        this.#images.push(await journal.openImage(this.#choose(step.share, journal.durable.position)));
        return;
      case 'readImages':
        await this.#compareImages(step.at, step.length);
        return;
      case 'closeImage':
        this.#images.shift()?.close();
        return;
      case 'trim':
        this.#trimAttempted = this.#choose(step.share, journal.applied.position);
        this.#trimPosition = await journal.trimUndo(this.#trimAttempted);
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
