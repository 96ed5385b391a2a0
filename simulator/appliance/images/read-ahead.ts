// Reads ahead for a sequential client, so that copying a whole disk doesn't cost a round trip for
// each small read.

/** Bytes fetched at once for a sequential client. */
export const READ_AHEAD_BYTES = 1024 * 1024;
/** Most fetched windows kept: the one being read and those ahead of it. */
const WINDOWS_MAX = 4;
/** Most reads in flight; further ones wait. */
const CONCURRENT_READS_MAX = 8;

export type Fetch = (offset: number, length: number) => Promise<Buffer>;

interface Window {
  readonly offset: number;
  readonly end: number;
  readonly bytes: Promise<Buffer>;
}

export class ReadAhead {
  readonly #sizeBytes: number;
  readonly #fetch: Fetch;
  /** Fetched windows, oldest first. */
  #windows: Window[] = [];
  /** Where the last read ended: a read that starts there is sequential. */
  #nextOffset = -1;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(sizeBytes: number, fetch: Fetch) {
    this.#sizeBytes = sizeBytes;
    this.#fetch = fetch;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const inOrder = offset === this.#nextOffset;
    this.#nextOffset = offset + length;
    const window =
      this.#windowOf(offset, length) ?? (inOrder && length < READ_AHEAD_BYTES ? this.#open(offset) : undefined);
    if (window === undefined || offset + length > window.end) return this.#limited(offset, length);
    // The next window is fetched while this one is being read.
    if (inOrder && window.end < this.#sizeBytes && this.#windowOf(window.end, 1) === undefined) this.#open(window.end);
    const bytes = await window.bytes;
    return bytes.subarray(offset - window.offset, offset - window.offset + length);
  }

  #windowOf(offset: number, length: number): Window | undefined {
    return this.#windows.find((window) => offset >= window.offset && offset + length <= window.end);
  }

  #open(offset: number): Window {
    const end = Math.min(this.#sizeBytes, offset + READ_AHEAD_BYTES);
    const window: Window = { offset, end, bytes: this.#limited(offset, end - offset) };
    // A failed window is dropped; its reader sees the failure.
    window.bytes.catch(() => {
      this.#windows = this.#windows.filter((kept) => kept !== window);
    });
    this.#windows = [...this.#windows, window].slice(-WINDOWS_MAX);
    return window;
  }

  async #limited(offset: number, length: number): Promise<Buffer> {
    if (this.#underWay >= CONCURRENT_READS_MAX) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay += 1;
    try {
      return await this.#fetch(offset, length);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}
