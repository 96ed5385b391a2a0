// Reads ahead for a sequential client, so that copying a whole disk doesn't cost a round trip for
// each small read.

/** Bytes fetched at once for a sequential client. */
export const READ_AHEAD_BYTES = 1024 * 1024;
/** Most fetched windows kept: the one being read and those ahead of it. */
const WINDOWS_MAX = 4;
/** Most windows of all connections of a process: 64 MiB, whatever the number of connections. */
const PROCESS_WINDOWS_MAX = 64;
/** Most reads in flight; further ones wait. */
const CONCURRENT_READS_MAX = 8;

export type Fetch = (offset: number, length: number) => Promise<Buffer>;

interface Window {
  readonly offset: number;
  readonly end: number;
  readonly bytes: Promise<Buffer>;
}

/** The windows that many connections keep; beyond the limit, the oldest is forgotten. */
export class WindowRoom {
  readonly #max: number;
  readonly #forget = new Map<Window, () => void>();

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#forget.size;
  }

  /** @param forget called when the window must go */
  add(window: Window, forget: () => void): void {
    this.#forget.set(window, forget);
    for (const [oldest, forgetOldest] of this.#forget) {
      if (this.#forget.size <= this.#max) return;
      this.#forget.delete(oldest);
      forgetOldest();
    }
  }

  delete(window: Window): void {
    this.#forget.delete(window);
  }
}

const processRoom = new WindowRoom(PROCESS_WINDOWS_MAX);

export class ReadAhead {
  readonly #room: WindowRoom;
  readonly #sizeBytes: number;
  readonly #fetch: Fetch;
  /** Fetched windows, oldest first. */
  #windows: Window[] = [];
  /** Where the last read ended: a read that starts there is sequential. */
  #nextOffset = -1;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(sizeBytes: number, fetch: Fetch, room = processRoom) {
    this.#room = room;
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
    window.bytes.catch(() => this.#drop(window));
    const [oldest] = this.#windows.length === WINDOWS_MAX ? this.#windows : [];
    if (oldest !== undefined) this.#drop(oldest);
    this.#windows = [...this.#windows, window];
    this.#room.add(window, () => this.#drop(window));
    return window;
  }

  #drop(window: Window): void {
    this.#windows = this.#windows.filter((kept) => kept !== window);
    this.#room.delete(window);
  }

  /** Lets go of what was fetched. */
  close(): void {
    for (const window of this.#windows) this.#drop(window);
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
