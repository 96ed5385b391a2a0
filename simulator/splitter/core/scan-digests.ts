// The digests of a volume's regions as of one mark, in bounded memory. Pure: the shell reads the
// source.
import { DIGEST_BYTES, digestText } from '../../digest/region-digest.js';

/**
 * Regions whose digests share a chunk of 2 KiB: small enough that scattered writes waste little.
 */
const CHUNK_REGIONS = 64;
/**
 * Regions behind the farthest one asked for whose digests are kept: a caller that resumes some
 * seconds back still finds them.
 */
export const KEPT_BEHIND_REGIONS = 64 * 1024;
/** Most chunks of one scan: 34 MiB, enough for writes to 64 GiB ahead of the scan. */
export const SCAN_CHUNKS_MAX = 16 * 1024;

type Known = 0 | 1 | 2 | 3;
const UNKNOWN: Known = 0;
const ZERO: Known = 1;
const DIGEST: Known = 2;
const UNREADABLE: Known = 3;

interface Chunk {
  readonly known: Uint8Array;
  /** Made with the first digest of a region that is not all zeroes. */
  digests: Buffer | undefined;
}

export class ScanDigests {
  readonly regions: number;
  readonly #chunksMax: number;
  readonly #chunks = new Map<number, Chunk>();
  #floor = 0;

  constructor(regions: number, chunksMax = SCAN_CHUNKS_MAX) {
    this.regions = regions;
    this.#chunksMax = chunksMax;
  }

  /** Digests of regions below this one are dropped. */
  get floor(): number {
    return this.#floor;
  }

  /** Whether there is no room for the digest of another region. */
  get isFull(): boolean {
    return this.#chunks.size > this.#chunksMax;
  }

  /**
   * How many of the regions [region, to) follow one another without a digest. Each of them still
   * has its content of the mark.
   */
  unknownFrom(region: number, to: number): number {
    const chunks = Math.ceil((to - region) / CHUNK_REGIONS);
    // Over a large hole there are far fewer chunks than the hole would have.
    if (chunks <= this.#chunks.size) {
      let end = region;
      while (end < to && this.needs(end)) end += this.#chunks.has(chunkOf(end)) ? 1 : leftInChunk(end);
      return Math.min(end, to) - region;
    }
    let end = to;
    for (const index of this.#chunks.keys()) {
      const first = Math.max(region, index * CHUNK_REGIONS);
      for (let at = first; at < Math.min(end, (index + 1) * CHUNK_REGIONS); at += 1) if (!this.needs(at)) end = at;
    }
    return end - region;
  }

  /** Whether a region's digest is still to be taken. */
  needs(region: number): boolean {
    // The volume may have grown since the scan began.
    if (region < this.#floor || region >= this.regions) return false;
    return (this.#chunks.get(chunkOf(region))?.known[region % CHUNK_REGIONS] ?? UNKNOWN) === UNKNOWN;
  }

  /**
   * Keeps a region's first digest: it was taken before anything changed.
   * @param digest undefined for a region of zeroes.
   */
  put(region: number, digest: Buffer | undefined): void {
    if (!this.needs(region)) return;
    const chunk = this.#chunk(chunkOf(region));
    const place = region % CHUNK_REGIONS;
    chunk.known[place] = digest === undefined ? ZERO : DIGEST;
    if (digest === undefined) return;
    chunk.digests ??= Buffer.alloc(CHUNK_REGIONS * DIGEST_BYTES);
    digest.copy(chunk.digests, place * DIGEST_BYTES);
  }

  /** Notes that the source can't read the region: its content at the mark stays unknown. */
  putUnreadable(region: number): void {
    if (this.needs(region)) this.#chunk(chunkOf(region)).known[region % CHUNK_REGIONS] = UNREADABLE;
  }

  /**
   * The digest as text; null when the region could not be read, undefined when its digest is not
   * taken or is dropped.
   */
  get(region: number): string | null | undefined {
    const chunk = this.#chunks.get(chunkOf(region));
    const place = region % CHUNK_REGIONS;
    switch (chunk?.known[place]) {
      case ZERO:
        return digestText(undefined);
      case UNREADABLE:
        return null;
      case DIGEST:
        return chunk.digests?.toString('base64url', place * DIGEST_BYTES, (place + 1) * DIGEST_BYTES);
      default:
        return undefined;
    }
  }

  /** Notes that everything before `region` was received, and drops digests far behind it. */
  reached(region: number): void {
    const floor = Math.floor((region - KEPT_BEHIND_REGIONS) / CHUNK_REGIONS) * CHUNK_REGIONS;
    if (floor <= this.#floor) return;
    this.#floor = floor;
    for (const index of this.#chunks.keys()) if (index * CHUNK_REGIONS < floor) this.#chunks.delete(index);
  }

  #chunk(index: number): Chunk {
    const known = this.#chunks.get(index);
    if (known !== undefined) return known;
    const chunk: Chunk = { known: new Uint8Array(CHUNK_REGIONS), digests: undefined };
    this.#chunks.set(index, chunk);
    return chunk;
  }
}

function leftInChunk(region: number): number {
  return CHUNK_REGIONS - (region % CHUNK_REGIONS);
}

function chunkOf(region: number): number {
  return Math.floor(region / CHUNK_REGIONS);
}
