// A volume's content as of one mark, as digests. Nothing is copied. A write that is about to change
// a region ahead of the scan takes the region's digest first. So a region without a digest is
// unchanged since the mark and can be read without a lock. A write during that read takes the
// digest itself, and the scan drops its torn reading.
import type { WriteMark } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { type DigestRun, DIGESTS_WITHIN_MS, VERIFY_REGION_BYTES } from '../../../contracts/verify.js';
import { newDigestKey, RegionDigester } from '../../digest/region-digest.js';
import { readInOrder, regionsOfPart, type Stretch, stretchesOf } from '../../digest/stretches.js';
import { firstRegion, lastRegion } from '../core/marks.js';
import { ScanDigests } from '../core/scan-digests.js';
import type { SourceFile } from '../files/source-file.js';
import { monotonicMs } from '../shared/clock.js';

export interface VolumeScanOptions {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly mark: WriteMark;
  readonly atMs: number;
  readonly source: Pick<SourceFile, 'partAt' | 'readNow' | 'readInto'>;
  readonly digests?: ScanDigests;
}

/** What was read of the regions [from, to); undefined if it can't be read. */
interface Reading {
  readonly from: number;
  readonly to: number;
  readonly data: Buffer | undefined;
}

export class VolumeScan {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly mark: WriteMark;
  readonly atMs: number;
  /** Chosen now that the content is fixed. */
  readonly key = newDigestKey();
  readonly #digester = new RegionDigester(this.key);
  readonly #source: VolumeScanOptions['source'];
  readonly #digests: ScanDigests;
  /** Why the scan ended. */
  #ended: string | undefined;

  constructor({ volume, sizeBytes, mark, atMs, source, digests }: VolumeScanOptions) {
    this.volume = volume;
    this.sizeBytes = sizeBytes;
    this.mark = mark;
    this.atMs = atMs;
    this.#source = source;
    this.#digests = digests ?? new ScanDigests(Math.ceil(sizeBytes / VERIFY_REGION_BYTES));
  }

  get regions(): number {
    return this.#digests.regions;
  }

  /** Why the scan ended; undefined while it can be read. */
  get ended(): string | undefined {
    return this.#ended;
  }

  end(why: string): void {
    this.#ended ??= why;
  }

  /**
   * Takes digests before a synchronous write changes the source. Never throws: the guest's write
   * comes first.
   */
  beforeNow(offset: number, length: number): void {
    if (this.#ended !== undefined) return;
    const last = lastRegion(offset, length);
    for (let region = firstRegion(offset); region <= last; region += 1) {
      if (!this.#digests.needs(region)) continue;
      const { at, bytes } = this.#placeOf(region, region + 1);
      try {
        this.#digests.put(region, this.#digester.digestOf(this.#source.readNow(at, bytes)));
      } catch {
        this.#digests.putUnreadable(region);
      }
    }
    this.#endIfFull();
  }

  /**
   * Takes digests before an asynchronous write, which holds its range lock. Reads the disk in small
   * steps.
   */
  async beforeLater(offset: number, length: number): Promise<void> {
    const from = firstRegion(offset);
    const to = lastRegion(offset, length) + 1;
    const stretches = await this.#stretchesOf(from, to, to - from);
    for (const { from: first, regions, isHole } of stretches)
      if (isHole) for (let region = first; region < first + regions; region += 1) this.#digests.put(region, undefined);
    await this.#take(stretches, () => true);
    this.#endIfFull();
  }

  /**
   * What is known of the regions [from, from + count), from the first one on: as much as one answer
   * has. Null for a region that can't be read.
   * @throws MoverError SCAN_NOT_FOUND (the scan has ended, or dropped these digests),
   * INVALID_REQUEST (no such regions)
   */
  async read(
    from: number,
    count: number,
    digestsMax: number,
  ): Promise<{ readonly regions: number; readonly digests: DigestRun[] }> {
    const to = from + count;
    if (to > this.regions)
      throw new MoverError(
        'INVALID_REQUEST',
        `Volume "${this.volume}" has ${this.regions} regions; ${from} to ${to - 1} are not all among them.`,
      );
    this.#refuseEnded();
    if (from < this.#digests.floor)
      throw new MoverError(
        'SCAN_NOT_FOUND',
        `The digests of volume "${this.volume}" before region ${this.#digests.floor} were let go.`,
      );
    const untilMs = monotonicMs() + DIGESTS_WITHIN_MS;
    const stretches = await this.#stretchesOf(from, to, digestsMax);
    const taken = await this.#take(stretches, () => monotonicMs() < untilMs);
    this.#endIfFull();
    this.#refuseEnded();
    const digests: DigestRun[] = [];
    let end = from;
    for (const stretch of stretches.slice(0, taken)) {
      end = stretch.from + stretch.regions;
      if (stretch.isHole) digests.push(stretch.regions);
      else for (let region = stretch.from; region < end; region += 1) digests.push(this.#known(region));
    }
    this.#digests.reached(from);
    return { regions: end - from, digests };
  }

  #known(region: number): string | null {
    const digest = this.#digests.get(region);
    if (digest !== undefined) return digest;
    throw new MoverError('SCAN_NOT_FOUND', `The digest of region ${region} of volume "${this.volume}" was let go.`);
  }

  async #stretchesOf(from: number, to: number, entriesMax: number): Promise<Stretch[]> {
    return stretchesOf(from, to, entriesMax, (region, regionsMax) => this.#partAt(region, regionsMax));
  }

  /** Holes as of the mark. A region whose digest is taken already counts as data. */
  async #partAt(region: number, regionsMax: number): Promise<Omit<Stretch, 'from'>> {
    const unknown = this.#digests.unknownFrom(region, region + regionsMax);
    if (unknown === 0) return { regions: 1, isHole: false };
    const { at, bytes } = this.#placeOf(region, region + unknown);
    const part = await this.#source.partAt(at, bytes).catch(() => ({ length: bytes, isHole: false }));
    const found = regionsOfPart(part, region, this.sizeBytes);
    // A write may have come meanwhile, and has then taken the digest of what was there before.
    const still = this.#digests.unknownFrom(region, region + Math.min(found.regions, unknown));
    return still === 0 ? { regions: 1, isHole: false } : { regions: still, isHole: found.isHole };
  }

  /**
   * Takes the missing digests of stretches of data. Never rejects: an unreadable region is noted as
   * such.
   * @returns how many of the stretches are done
   */
  async #take(stretches: readonly Stretch[], mayGoOn: () => boolean): Promise<number> {
    return readInOrder(
      stretches,
      async (stretch, into) => (stretch.isHole ? [] : await this.#readMissing(stretch, into)),
      (_stretch, readings) => {
        for (const reading of readings) this.#digestAll(reading);
      },
      () => this.#ended === undefined && !this.#digests.isFull && mayGoOn(),
    );
  }

  /** Reads the regions of a stretch whose digests are missing. Never rejects. */
  async #readMissing({ from, regions }: Stretch, into: Buffer): Promise<readonly Reading[]> {
    const missing = Array.from({ length: regions }, (_, index) => from + index).filter((region) =>
      this.#digests.needs(region),
    );
    const [first] = missing;
    const last = missing.at(-1);
    if (first === undefined || last === undefined) return [];
    const whole = await this.#readRegions(first, last + 1, into);
    if (whole.data !== undefined || missing.length === 1) return [whole];
    const readings: Reading[] = [];
    for (const region of missing) {
      const own = into.subarray((region - first) * VERIFY_REGION_BYTES);
      readings.push(await this.#readRegions(region, region + 1, own));
    }
    return readings;
  }

  async #readRegions(from: number, to: number, into: Buffer): Promise<Reading> {
    const { at, bytes } = this.#placeOf(from, to);
    const data = into.subarray(0, bytes);
    try {
      await this.#source.readInto(at, data);
      return { from, to, data };
    } catch {
      return { from, to, data: undefined };
    }
  }

  /** Notes the digests that are still missing: a region that has one was written meanwhile. */
  #digestAll({ from, to, data }: Reading): void {
    for (let region = from; region < to; region += 1) {
      if (!this.#digests.needs(region)) continue;
      const start = (region - from) * VERIFY_REGION_BYTES;
      if (data === undefined) this.#digests.putUnreadable(region);
      else this.#digests.put(region, this.#digester.digestOf(data.subarray(start, start + VERIFY_REGION_BYTES)));
    }
  }

  #placeOf(from: number, to: number): { readonly at: number; readonly bytes: number } {
    const at = from * VERIFY_REGION_BYTES;
    return { at, bytes: Math.min(to * VERIFY_REGION_BYTES, this.sizeBytes) - at };
  }

  #endIfFull(): void {
    if (this.#digests.isFull)
      this.end('the guest changed more of the volume than digests are kept of; scan the rest anew');
  }

  #refuseEnded(): void {
    if (this.#ended !== undefined)
      throw new MoverError('SCAN_NOT_FOUND', `The scan of volume "${this.volume}" has ended: ${this.#ended}.`);
  }
}
