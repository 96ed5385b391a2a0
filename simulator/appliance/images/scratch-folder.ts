// The appliance's folder of scratch files. It is emptied at each start, as no scratch outlives its
// process.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { freeBytes } from '../../disk/free-room.js';
import { isOutOfRoom, storageFailure } from '../../store/storage-failure.js';
import { PROCESS_SCRATCH_BYTES_MAX, SCRATCH_BYTES_MAX, ScratchBudget } from './scratch-budget.js';
import { ScratchDisk } from './scratch-disk.js';

/** Free space at which the folder's disk no longer counts as full, bytes. */
const ROOM_BYTES_MIN = 1024 * 1024;
const MIB = 1024 * 1024;

export interface ScratchLimits {
  readonly scratchBytesMax?: number | undefined;
  readonly processScratchBytesMax?: number | undefined;
}

export interface ScratchOf {
  readonly sizeBytes: number;
  readonly budget: ScratchBudget;
  /** Identifies the scratch's owner in the log. */
  readonly owner: Readonly<Record<string, string>> & {
    readonly volume: string;
    readonly access?: string;
    readonly export?: string;
  };
}

export class ScratchFolder {
  readonly #path: string;
  readonly #whole: ScratchBudget;
  readonly #bytesMax: number;
  readonly #log: Logger;
  #made = 0;
  #isReady = false;
  /** The last refusal by the folder's disk; cleared by the next write that succeeds. */
  #refused: { readonly error: Error; readonly sinceMs: number; readonly owner: string } | undefined;

  /** Prepares the folder; if that fails now, it is tried again when the first scratch is made. */
  constructor(path: string, limits: ScratchLimits, log: Logger) {
    this.#path = path;
    this.#whole = new ScratchBudget(limits.processScratchBytesMax ?? PROCESS_SCRATCH_BYTES_MAX);
    this.#bytesMax = limits.scratchBytesMax ?? SCRATCH_BYTES_MAX;
    this.#log = log;
    try {
      this.#prepare();
    } catch (error) {
      log.warn({ err: error, path }, "the scratch folder can't be used yet");
    }
  }

  /** Empties the folder instead of replacing it: a full disk may have no room for a new name. */
  #prepare(): void {
    if (this.#isReady) return;
    mkdirSync(this.#path, { recursive: true });
    for (const name of readdirSync(this.#path)) rmSync(join(this.#path, name), { recursive: true, force: true });
    this.#isReady = true;
  }

  /** What is wrong, in a sentence; undefined while the disk takes writes. */
  get note(): string | undefined {
    if (this.#refused === undefined) return undefined;
    const { error, sinceMs, owner } = this.#refused;
    const free = freeBytes(this.#path);
    const isFull = isOutOfRoom(error);
    if (isFull && free !== undefined && free >= ROOM_BYTES_MIN) return undefined;
    const what = isFull
      ? `The disk of ${this.#path} is full since ${new Date(sinceMs).toISOString()}: ${((free ?? 0) / MIB).toFixed(1)} MiB are free, at least ${(ROOM_BYTES_MIN / MIB).toFixed(1)} MiB are needed.`
      : `A scratch in ${this.#path} can't be used since ${new Date(sinceMs).toISOString()}: ${error.message}.`;
    return `${what} Writes to image access ${owner} are refused to its client; what the client wrote before, recovery points and replication are not affected. ${isFull ? 'Free space on that disk, or close image accesses' : 'Check that disk, or close the access'}: volume-mover images`;
  }

  /** Bytes that all scratches hold. */
  get bytes(): number {
    return this.#whole.bytes;
  }

  /** A budget for one access, or for one connection with its own scratch. */
  budget(): ScratchBudget {
    return new ScratchBudget(this.#bytesMax, this.#whole);
  }

  /**
   * Makes a scratch. It takes no space before the first write.
   * @throws MoverError STORAGE_FULL, STORAGE_FAILED when the folder can't be used
   */
  make({ sizeBytes, budget, owner }: ScratchOf): ScratchDisk {
    try {
      this.#prepare();
    } catch (cause) {
      throw storageFailure(this.#path, cause);
    }
    this.#made += 1;
    let loggedLimit: ScratchBudget | undefined;
    return new ScratchDisk({
      path: join(this.#path, `${this.#made}.scratch`),
      sizeBytes,
      budget,
      onRefused: (error) => this.#noteRefusal(error, owner),
      onTaken: () => {
        this.#refused = undefined;
      },
      onFull: (limit) => {
        // Logged once per limit: a client that goes on writing must not flood the log.
        if (loggedLimit === limit) return;
        loggedLimit = limit;
        const whose = limit === budget ? 'the scratch of an image access is full' : 'all scratch together is full';
        this.#log.warn({ ...owner, scratchBytes: limit.bytes, scratchBytesMax: limit.bytesMax }, whose);
      },
    });
  }

  #noteRefusal(error: Error, owner: ScratchOf['owner']): void {
    if (this.#refused === undefined) this.#log.warn({ ...owner, err: error }, "a scratch can't be written");
    const sinceMs = this.#refused?.sinceMs ?? Date.now();
    this.#refused = { error, sinceMs, owner: owner.access ?? owner.export ?? owner.volume };
  }
}
