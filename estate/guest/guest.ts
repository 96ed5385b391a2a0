// The built-in guest: writes self-describing blocks to a virtual volume at a bounded rate, and logs
// every write.
import { setTimeout as delay } from 'node:timers/promises';
import type { NbdAddress } from '../../nbd/address.js';
import { GUEST_BLOCK_BYTES, writeBlock } from './block.js';
import { LatencyHistogram, type LatencySummary } from './latency.js';
import { PatientDisk } from './patient-disk.js';
import { WriteLog } from './write-log.js';

/** Depth of a small database: keeps a write in flight at every moment of a move. */
const DEPTH_DEFAULT = 4;
/** Longest delay whose missed writes the guest makes up for, seconds. */
const CATCH_UP_S_MAX = 0.1;
const SECOND_MS = 1_000;

export interface GuestOptions {
  /** Address of the splitter's NBD server. */
  readonly address: NbdAddress;
  readonly volume: string;
  /** Seed of 32 bits; it determines what the guest writes, and where. */
  readonly seed: number;
  /** Writes in flight at a time; default 4. */
  readonly depth?: number;
  /** Rate; default: as fast as writes are acknowledged. */
  readonly writesPerSecond?: number;
  /** Number of blocks to write, from the start of the disk; default: all. */
  readonly blocks?: number;
  /** Name of the first phase; default `start`. */
  readonly phase?: string;
}

export interface Guest {
  readonly seed: number;
  readonly log: WriteLog;
  /** Counts latencies under this name from now on. */
  phase(name: string): void;
  /** Latencies by phase. A write counts in the phase in which it was issued. */
  latencies(): Readonly<Record<string, LatencySummary>>;
  /** How often the guest connected to the disk again. */
  readonly reconnections: number;
  /** Rejects when the disk refuses a write, or is gone for 60 s. */
  readonly failed: Promise<never>;
  /**
   * Holds back further writes; resolves when every issued write is acknowledged.
   * @throws what `failed` rejects with
   */
  pause(): Promise<void>;
  /** Resumes writing after a pause. */
  resume(): void;
  /**
   * Stops writing; resolves when every issued write is acknowledged. Safe to call twice.
   * @throws what `failed` rejects with
   */
  stop(): Promise<void>;
  /** Stops without repeating unacknowledged writes, in case the disk is gone. Never rejects. */
  abandon(): Promise<void>;
}

/** Connects and starts writing. @throws Error when the disk can't be opened within 60 s */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const disk = new PatientDisk(options.address, options.volume);
  const diskBlocks = Math.floor((await disk.sizeBytes()) / GUEST_BLOCK_BYTES);
  return new WritingGuest(disk, options, Math.min(options.blocks ?? diskBlocks, diskBlocks));
}

class WritingGuest implements Guest {
  readonly seed: number;
  readonly log = new WriteLog();
  readonly failed: Promise<never>;
  readonly #disk: PatientDisk;
  readonly #blocks: number;
  readonly #pace: Pace;
  readonly #phases = new Map<string, LatencyHistogram>();
  readonly #lanes: Promise<void>;
  /** Blocks with a write in flight: a guest orders its writes to one place itself. */
  readonly #busy = new Set<number>();
  #latency: LatencyHistogram;
  #random: number;
  #pause: Pause | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;

  constructor(
    disk: PatientDisk,
    { seed, depth = DEPTH_DEFAULT, writesPerSecond, phase = 'start' }: GuestOptions,
    blocks: number,
  ) {
    if (blocks <= depth)
      throw new Error(`A guest that keeps ${depth} writes in flight needs more than ${blocks} blocks.`);
    this.seed = seed >>> 0;
    this.#random = this.seed || 1;
    this.#disk = disk;
    this.#blocks = blocks;
    this.#pace = new Pace(writesPerSecond);
    this.#latency = this.#histogram(phase);
    this.#lanes = this.#runLanes(depth);
    this.failed = this.#failure();
    this.failed.catch(() => undefined);
  }

  get reconnections(): number {
    return this.#disk.reconnections;
  }

  phase(name: string): void {
    this.#latency = this.#histogram(name);
  }

  latencies(): Record<string, LatencySummary> {
    const used = [...this.#phases].map(([name, histogram]) => [name, histogram.summary()] as const);
    return Object.fromEntries(used.filter(([, { count }]) => count > 0));
  }

  async pause(): Promise<void> {
    this.#pause ??= new Pause();
    if (this.#busy.size === 0) this.#pause.reached.settle();
    await Promise.race([this.#pause.reached.settled, this.failed]);
  }

  resume(): void {
    this.#pause?.ended.settle();
    this.#pause = undefined;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async abandon(): Promise<void> {
    this.#stopping = true;
    // Paused lanes must wake to see that the guest stops.
    this.resume();
    await this.#disk.close();
    await this.#lanes.catch(() => undefined);
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.resume();
    try {
      await this.#lanes;
    } finally {
      await this.#disk.close();
    }
  }

  #histogram(phase: string): LatencyHistogram {
    const known = this.#phases.get(phase) ?? new LatencyHistogram();
    this.#phases.set(phase, known);
    return known;
  }

  async #runLanes(depth: number): Promise<void> {
    try {
      await Promise.all(Array.from({ length: depth }, async () => this.#lane()));
    } finally {
      this.#stopping = true;
    }
  }

  async #failure(): Promise<never> {
    await this.#lanes;
    // Lanes that ended normally have no failure to report.
    return await new Promise<never>(() => undefined);
  }

  /** Issues writes one after another, with its own buffer. */
  async #lane(): Promise<void> {
    const data = Buffer.alloc(GUEST_BLOCK_BYTES);
    while (!this.#stopping) {
      await this.#pace.turn();
      while (this.#pause !== undefined) await this.#pause.ended.settled;
      if (this.#stopping) return;
      await this.#write(data);
    }
  }

  async #write(data: Buffer): Promise<void> {
    const block = this.#pickBlock();
    const latency = this.#latency;
    this.#busy.add(block);
    const sequence = this.log.issue(block);
    writeBlock(data, { seed: this.seed, sequence, block });
    const startedAtMs = performance.now();
    await this.#disk.write(block * GUEST_BLOCK_BYTES, data);
    latency.record(performance.now() - startedAtMs);
    this.log.acknowledge(sequence);
    this.#busy.delete(block);
    if (this.#busy.size === 0) this.#pause?.reached.settle();
  }

  #pickBlock(): number {
    for (;;) {
      this.#random ^= this.#random << 13;
      this.#random ^= this.#random >>> 17;
      this.#random ^= this.#random << 5;
      const block = (this.#random >>> 0) % this.#blocks;
      if (!this.#busy.has(block)) return block;
    }
  }
}

class Pause {
  /** Settles once no write is in flight. */
  readonly reached = new Signal();
  readonly ended = new Signal();
}

/** A promise that is settled from outside. */
class Signal {
  settle: () => void = () => undefined;
  readonly settled = new Promise<void>((resolve) => {
    this.settle = resolve;
  });
}

/** Lets turns through evenly at a rate; after a delay it makes up for `CATCH_UP_S_MAX` at most. */
class Pace {
  readonly #intervalMs: number;
  #nextAtMs = performance.now();

  constructor(perSecond: number | undefined) {
    this.#intervalMs = perSecond === undefined ? 0 : SECOND_MS / perSecond;
  }

  async turn(): Promise<void> {
    if (this.#intervalMs === 0) return;
    const nowMs = performance.now();
    const atMs = Math.max(this.#nextAtMs, nowMs - CATCH_UP_S_MAX * SECOND_MS);
    this.#nextAtMs = atMs + this.#intervalMs;
    if (atMs > nowMs) await delay(atMs - nowMs);
  }
}
