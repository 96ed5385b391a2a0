// A volume's content as of one mark, as digests. Nothing is copied. A write that is about to change
// a region ahead of the scan takes the region's digest first. So a region without a digest is
// unchanged since the mark and can be read without a lock. A write during that read takes the
// digest itself, and the scan drops its torn reading.
import type { WriteMark } from '../../../contracts/attempt.js';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { VERIFY_REGION_BYTES } from '../../../contracts/verify.js';
import { digestOf } from '../../digest/region-digest.js';
import { firstRegion, lastRegion } from '../core/marks.js';
import { ScanDigests } from '../core/scan-digests.js';
import type { SourceFile } from '../files/source-file.js';

/** Regions digested in one turn of the loop: about 0.2 ms, which guests hardly notice. */
const REGIONS_PER_TURN = 4;

export interface VolumeScanOptions {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly mark: WriteMark;
  readonly atMs: number;
  readonly source: Pick<SourceFile, 'isWritten' | 'readNow' | 'readLater'>;
  readonly digests?: ScanDigests;
}

export class VolumeScan {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  readonly mark: WriteMark;
  readonly atMs: number;
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
        this.#digests.put(region, digestOf(this.#source.readNow(at, bytes)));
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
    await this.#take(firstRegion(offset), lastRegion(offset, length) + 1);
  }

  /**
   * The digests of `count` regions; null for one that can't be read.
   * @throws MoverError SCAN_NOT_FOUND (the scan has ended, or dropped these digests),
   * INVALID_REQUEST (no such regions)
   */
  async read(from: number, count: number): Promise<(string | null)[]> {
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
    await this.#take(from, to);
    this.#refuseEnded();
    const digests: (string | null)[] = [];
    for (let region = from; region < to; region += 1) digests.push(this.#known(region));
    this.#digests.reached(to);
    return digests;
  }

  #known(region: number): string | null {
    const digest = this.#digests.get(region);
    if (digest !== undefined) return digest;
    throw new MoverError('SCAN_NOT_FOUND', `The digest of region ${region} of volume "${this.volume}" was let go.`);
  }

  /**
   * Takes the missing digests of [from, to). Never rejects: an unreadable region is noted as such.
   */
  async #take(from: number, to: number): Promise<void> {
    for (let region = from; region < to && this.#ended === undefined;) {
      const end = this.#endOfMissing(region, to);
      if (end === region) {
        region += 1;
        continue;
      }
      await this.#takeAtOnce(region, end);
      region = end;
      this.#endIfFull();
    }
  }

  async #takeAtOnce(from: number, to: number): Promise<void> {
    const { at, bytes } = this.#placeOf(from, to);
    let data: Buffer | undefined;
    try {
      // A volume that was never written is all zeroes: nothing is read.
      data = this.#source.isWritten ? await this.#source.readLater(at, bytes) : undefined;
    } catch {
      if (to - from === 1) this.#digests.putUnreadable(from);
      else for (let region = from; region < to; region += 1) await this.#takeAtOnce(region, region + 1);
      return;
    }
    for (let region = from; region < to; region += 1) {
      const start = (region - from) * VERIFY_REGION_BYTES;
      if (this.#digests.needs(region))
        this.#digests.put(
          region,
          data === undefined ? undefined : digestOf(data.subarray(start, start + VERIFY_REGION_BYTES)),
        );
    }
  }

  /** End of the run of regions without a digest that begins at `from`, within one turn. */
  #endOfMissing(from: number, to: number): number {
    const limit = Math.min(to, from + REGIONS_PER_TURN);
    let end = from;
    while (end < limit && this.#digests.needs(end)) end += 1;
    return end;
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
