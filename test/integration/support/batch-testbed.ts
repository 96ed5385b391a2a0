// What the tests of a batch's options have in common: one live estate for all tests of a file, and
// words for what to move.
import type { BatchInput, BatchReport, MaintenanceWindow } from '../../../contracts/batch.js';
import { MoverError } from '../../../contracts/errors.js';
import type { StoredMoveReport } from '../../../contracts/report.js';
import { type BatchHandle, startBatch } from './batches.js';
import { Moves, type MovesOptions } from './moves.js';

/** The smallest unit of a window's start and end. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

export const THREE = ['s0v0', 's0v1', 's0v2'];
/** A move that meets it fails, and is put back. */
export const corrupt = new MoverError('CORRUPT', 'A checksum is wrong.');

export class BatchTestbed {
  readonly moves: Moves;

  private constructor(moves: Moves) {
    this.moves = moves;
  }

  static async start(options: MovesOptions = {}): Promise<BatchTestbed> {
    return new BatchTestbed(await Moves.start({ volumesPerSplitter: 6, ...options }));
  }

  /** Where a volume is not: g1 and g3 are one appliance's, g2 another's. */
  elsewhere(volume: string): string {
    return this.moves.live.groupOf(volume) === 'g1' ? 'g2' : 'g1';
  }

  listed(volumes: readonly string[], to?: string): NonNullable<BatchInput['moves']> {
    return volumes.map((volume) => ({ volume, to: to ?? this.elsewhere(volume) }));
  }

  groupsOf(volumes: readonly string[]): string[] {
    return volumes.map((volume) => this.moves.live.groupOf(volume));
  }

  async run(input: BatchInput): Promise<{ handle: BatchHandle; report: BatchReport }> {
    const handle = await startBatch(this.moves, input);
    return { handle, report: await handle.result() };
  }

  /** Checks between two tests of a file that the estate is as promised; its guest goes on. */
  async checkPromises(): Promise<void> {
    const { live } = this.moves;
    await live.checkPromises().finally(() => (live.world.guestRuns = true));
  }

  async stop(): Promise<void> {
    await this.moves.stop();
  }
}

/** A time of day in UTC. */
export function clock(atMs: number): string {
  return new Date(atMs).toISOString().slice(11, 16);
}

export function windowOf(fromMs: number, toMs: number): MaintenanceWindow {
  return { timeZone: 'UTC', start: clock(fromMs), end: clock(toMs) };
}

/** How many of them ran at once, at the most. */
export function mostAtOnce(reports: readonly StoredMoveReport[]): number {
  return Math.max(
    ...reports.map(
      ({ startedAtMs: atMs }) => reports.filter((other) => other.startedAtMs <= atMs && atMs < other.endedAtMs).length,
    ),
  );
}

/** The order in which the moves of a batch were begun: the first volume of each. */
export function inOrderOfStart(reports: readonly StoredMoveReport[]): (string | undefined)[] {
  return reports.toSorted((a, b) => a.startedAtMs - b.startedAtMs).map(({ volumes }) => volumes[0]);
}
