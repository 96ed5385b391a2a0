// One random life of a volume whose files are damaged between two openings, beside a model that
// keeps every version.
import { basename } from 'node:path';
import { expect } from 'vitest';
import { JournalError } from '../../simulator/replica-site/journal/terms/errors.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import type { Harm, Life, Write } from './journal-damage-steps.js';
import { SIZE_BYTES } from './journal-damage-steps.js';
import { MemoryDisk } from './journal-memory-disk.js';
import { PATIENCE_MS } from '../support/until.js';

const DIRECTORY = '/volume';
const SEGMENT_BYTES = 12_000;
const CHUNK_BYTES = 5_000;

export interface DamageTotals {
  /** Files damaged. */
  readonly harmed: number;
  /** Positions or reads refused because of damage. */
  readonly refused: number;
  /** Positions that opened and were read whole. */
  readonly exact: number;
  /** Lineages that ended because records were lost. */
  readonly forks: number;
}

export async function runDamage(life: Life): Promise<DamageTotals> {
  const run = new DamageRun(life.sync);
  await run.open(0);
  for (const chapter of life.chapters) {
    await run.write(chapter.writes);
    await run.retain(chapter.keep, chapter.everyFrom);
    await run.write(chapter.more);
    await run.end(chapter.closes);
    run.harm(chapter.harms);
    await run.open(chapter.isRemembered ? run.named : 0);
    await run.compare();
    await run.resend();
  }
  await run.write(life.last);
  await run.compare();
  await run.end(true);
  await run.open(run.named);
  await run.compare();
  return run.totals;
}

class DamageRun {
  readonly #disk = new MemoryDisk();
  readonly #sync: boolean;
  /** What the guest's disk holds now. */
  #source: Buffer = Buffer.alloc(SIZE_BYTES);
  /** The volume at each position that may be opened. */
  #versions = new Map<number, Buffer>([[0, this.#source]]);
  #letGo = new Set<number>();
  /**
   * Positions of short initializations: no states of the volume, whoever knows of the hole asks for
   * none.
   */
  readonly #inHole = new Set<number>();
  #journal: VolumeJournal | undefined;
  #session = 1;
  #n = 0;
  #fill = 0;
  #harmed = 0;
  #refused = 0;
  #exact = 0;
  #forks = 0;

  constructor(sync: boolean) {
    this.#sync = sync;
  }

  get totals(): DamageTotals {
    return { harmed: this.#harmed, refused: this.#refused, exact: this.#exact, forks: this.#forks };
  }

  /** The highest position that anybody was told of. */
  get named(): number {
    return Math.max(...this.#versions.keys());
  }

  async open(knownPosition: number): Promise<void> {
    const before = this.#journal?.lineage;
    this.#journal = await openVolumeJournal({
      directory: DIRECTORY,
      sizeBytes: SIZE_BYTES,
      segmentBytes: SEGMENT_BYTES,
      sync: this.#sync,
      knownPosition,
      files: this.#disk,
    });
    const { lineage, durable, damage } = this.#journal;
    const isLossTold = damage.some((one) => one.kind === 'records' && one.wholeFrom === undefined);
    const isInDoubt = damage.some((one) => one.kind === 'replica');
    if (before !== undefined && lineage.id !== before.id && this.named > 0) {
      this.#forks += 1;
      // Nothing of it may be there any more.
      const isTold = damage.some((one) => one.kind === 'records') || isInDoubt || durable.position === 0;
      expect(isTold, 'a lineage ends only with lost records, or with a replica in doubt').toBe(true);
    }
    if (isInDoubt) expect(lineage.id, 'a replica in doubt is compared').not.toBe(before?.id);
    if (durable.position < this.named) {
      // The end of DO is gone at a record's bounds: only the splitter can know, or who remembers a
      // position.
      expect(this.named).toBeGreaterThan(knownPosition);
      for (const position of this.#versions.keys()) {
        if (position <= durable.position) continue;
        this.#versions.delete(position);
        this.#inHole.delete(position);
      }
      // A loss that is told is sent again; of one that is not, the splitter knows, or the guest's
      // disk went back as well.
      if (!isLossTold) this.#source = this.#versions.get(durable.position) ?? this.#source;
    }
    this.#session = lineage.id === before?.id && durable.session > 0 ? durable.session : this.#session + 1;
    this.#n = this.#session === durable.session ? durable.n : 0;
  }

  async end(closes: boolean): Promise<void> {
    if (closes) await this.#open.close();
    this.#disk.dieAfter(-1, 0);
    if (!closes) await this.#open.close().catch(() => undefined);
    this.#disk.revive();
  }

  harm(harms: readonly Harm[]): void {
    let hasNote = true;
    for (const harm of harms) {
      const names = (this.#disk.list(DIRECTORY) ?? []).toSorted();
      const name = names[harm.file % Math.max(1, names.length)];
      // UNDO that lost its end and the note that tells so: both together are found by nobody.
      if (name === undefined || !hasNote || (name === 'applied' && harm !== harms[0])) continue;
      hasNote = name !== 'applied';
      const path = `${DIRECTORY}/${basename(name)}`;
      const bytes = this.#disk.contents(path);
      const at = Math.min(bytes.length - 1, Math.floor(harm.share * bytes.length));
      this.#harmed += 1;
      if (harm.how === 'delete') this.#disk.remove(path);
      else if (harm.how === 'truncate') this.#disk.truncate(path, Math.max(0, at));
      else if (at >= 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << harm.bit);
    }
  }

  async write(writes: readonly Write[]): Promise<void> {
    for (const { offset, length, isZero } of writes) {
      const range = { offset, length: Math.min(length, SIZE_BYTES - offset) };
      this.#fill = (this.#fill % 250) + 1;
      const data = Buffer.alloc(range.length, this.#fill);
      this.#append(isZero ? { kind: 'zeroes', ...range } : { kind: 'write', offset, data });
    }
    await this.#open.whenApplied(this.#open.durable.position);
    await this.#settle();
  }

  async retain(shares: readonly number[], everyFromShare: number): Promise<void> {
    const journal = this.#open;
    const everyFrom = Math.floor(everyFromShare * journal.applied.position);
    const kept = shares.map((share) => Math.floor(share * everyFrom));
    const positions = [...new Set(kept)].sort((one, other) => one - other);
    for (const position of this.#versions.keys()) {
      if (position < everyFrom && !positions.includes(position)) this.#letGo.add(position);
    }
    for (let calls = 0; !(await journal.retain({ positions, everyFrom })).done; calls += 1) {
      expect(calls, 'retention comes to an end').toBeLessThan(20);
    }
  }

  /**
   * What the journal says to be missing is sent again, as a short initialization: then the volume
   * is whole.
   */
  async resend(): Promise<void> {
    const { toResend } = this.#open;
    if (toResend === undefined) return;
    const ranges = toResend === 'all' ? [{ offset: 0, length: SIZE_BYTES }] : toResend;
    this.#append({ kind: 'initBegin', sinceMs: 1, reason: 'lost' });
    this.#forget();
    for (const { offset, length } of ranges) {
      this.#append({ kind: 'write', offset, data: Buffer.from(this.#source.subarray(offset, offset + length)) });
      this.#forget();
    }
    this.#append({ kind: 'initEnd' });
    await this.#settle();
    expect(this.#open.toResend).toBeUndefined();
    const image = await this.#open.openImage(this.#open.durable.position);
    expect((await image.read(0, SIZE_BYTES)).equals(this.#source), 'whole after what was missing came').toBe(true);
    image.close();
  }

  /** Each position is exact, or let go of, or refused and told. */
  async compare(): Promise<void> {
    const journal = this.#open;
    await journal.whenApplied(journal.durable.position);
    for (let position = 0; position <= journal.durable.position; position += 1) {
      if (this.#inHole.has(position)) continue;
      const image = await this.#refusable(journal.openImage(position), position);
      if (image === undefined) continue;
      const version = this.#versions.get(position);
      if (version === undefined) throw new Error(`position ${position} was never a state of the volume, and opens`);
      let isWhole = true;
      for (let offset = 0; offset < SIZE_BYTES; offset += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, SIZE_BYTES - offset);
        const bytes = await this.#refusable(image.read(offset, length), position);
        if (bytes === undefined) isWhole = false;
        else if (!bytes.equals(version.subarray(offset, offset + length)))
          throw new Error(`position ${position} differs between byte ${offset} and ${offset + length}`);
      }
      if (isWhole) this.#exact += 1;
      image.close();
    }
    for (const damage of journal.damage) {
      if (damage.kind !== 'history' || damage.bytes !== undefined) continue;
      await expect(journal.openImage(damage.from)).rejects.toMatchObject({ code: 'DAMAGED' });
    }
  }

  /**
   * Undefined if it is refused for a good reason: damage that the journal tells of, or that it was
   * let go of.
   */
  async #refusable<Result>(work: Promise<Result>, position: number): Promise<Result | undefined> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof JournalError)) throw error;
      const { code, place } = error;
      if (code === 'TRIMMED' && (this.#letGo.has(position) || !this.#versions.has(position))) return undefined;
      if ((code !== 'DAMAGED' && code !== 'CORRUPT') || place === undefined) throw error;
      this.#refused += 1;
      expect(this.#open.damage.length, `what refuses position ${position} is told`).toBeGreaterThan(0);
      if (code === 'DAMAGED') expect(this.#open.damageAt(position)).toBeDefined();
      return undefined;
    }
  }

  #append(sketch: Sketch): void {
    this.#n += 1;
    const stamp = { session: this.#session, n: this.#n, epoch: 1, timeMs: this.#n };
    const position = this.#open.append([{ ...stamp, ...sketch }]);
    if (sketch.kind === 'write' || sketch.kind === 'zeroes') {
      const bytes = Buffer.from(this.#source);
      if (sketch.kind === 'write') bytes.set(sketch.data, sketch.offset);
      else bytes.fill(0, sketch.offset, sketch.offset + sketch.length);
      this.#source = bytes;
    }
    this.#versions.set(position, this.#source);
  }

  /** The newest position lies in a hole: no state of the volume. */
  #forget(): void {
    this.#inHole.add(this.named);
  }

  async #settle(): Promise<void> {
    await expect.poll(() => this.#open.durable.position, { interval: 0, timeout: PATIENCE_MS }).toBe(this.named);
    await this.#open.whenApplied(this.named);
  }

  get #open(): VolumeJournal {
    if (this.#journal === undefined) throw new Error('the journal was never opened');
    return this.#journal;
  }
}

type Sketch =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'zeroes'; readonly offset: number; readonly length: number }
  | { readonly kind: 'initBegin'; readonly sinceMs: number; readonly reason: string }
  | { readonly kind: 'initEnd' };
