// Compares a volume at its source with its replica, region by region, at a common point, while the
// guest writes. Only digests travel. A lost common point (a restart, dropped history) is replaced
// by a new one for the remaining regions. Each region is compared at exactly one instant, which the
// report names.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { hasRemedy } from '../contracts/error-registry.js';
import { MoverError, toProblem } from '../contracts/errors.js';
import {
  type DigestRun,
  DIGESTS_PER_CALL_MAX,
  type Mismatch,
  type ParsedVerifyInput,
  VERIFY_POINTS_MAX,
  VERIFY_REGION_BYTES,
  type VerifyHeartbeat,
  verifyHeartbeatSchema,
  type VerifyReport,
} from '../contracts/verify.js';
import { describeMismatch, withMismatch } from './mismatches.js';
import { anyAppliance, type Ports } from '../control/ports.js';
import { DigestRuns } from './digest-runs.js';
import type { VerifyRun } from './run.js';
import { closePoint, openPoint, type Source, sourceOf } from './verify-point.js';

export type VerifyWork = Pick<ParsedVerifyInput, 'volume' | 'bytesPerSecond'>;
type Open = NonNullable<VerifyHeartbeat['open']>;

/** New common points in a row without a compared region, before the retry policy takes over. */
const POINTS_IN_VAIN_MAX = 3;
/** Pause before a new common point, ms. */
const NEW_POINT_PAUSE_MS = 200;
/** Batches per second, of equal size: they keep a slow rate even and make a fast one cheap. */
const BATCHES_PER_SECOND = 4;
/**
 * Cost of a region that is zero on both sides, and read: that costs the processor little. Holes on
 * both sides are not read, and cost nothing.
 */
const ZERO_REGION_BYTES = VERIFY_REGION_BYTES / 16;

/**
 * Verifies a volume. @throws ApplicationFailure VERIFY_MISMATCH (non-retryable) whose second detail
 * is the report; MoverError VOLUME_NOT_FOUND, NOT_SYNCED, SOURCE_UNREADABLE, SCAN_BUSY,
 * IMAGE_LIMIT, UNREACHABLE, LINK_DOWN, CORRUPT and those of the control calls; CancelledFailure
 */
export async function verify(ports: Ports, work: VerifyWork, run: VerifyRun): Promise<VerifyReport> {
  const source = await sourceOf(ports, work.volume);
  const comparison = new Comparison(ports, source, work, run);
  try {
    await comparison.run();
  } catch (error) {
    if (!isToBeContinued(error)) await comparison.close();
    throw error;
  }
  await comparison.close();
  const report = comparison.report();
  if (report.mismatchedRegions === 0) return report;
  const error = new MoverError('VERIFY_MISMATCH', describeMismatch(report));
  throw ApplicationFailure.nonRetryable(error.message, error.code, toProblem(error), report);
}

/**
 * Whether another run continues with the same scan and image: this one failed for a passing reason,
 * or its worker is stopping.
 */
function isToBeContinued(error: unknown): boolean {
  if (error instanceof CancelledFailure) return error.message === 'WORKER_SHUTDOWN';
  return error instanceof MoverError ? error.retryable : !(error instanceof ApplicationFailure);
}

class Comparison {
  readonly #ports: Ports;
  readonly #source: Source;
  readonly #work: VerifyWork;
  readonly #run: VerifyRun;
  #state: VerifyHeartbeat;

  constructor(ports: Ports, source: Source, work: VerifyWork, run: VerifyRun) {
    this.#ports = ports;
    this.#source = source;
    this.#work = work;
    this.#run = run;
    const { sizeBytes } = source;
    const earlier = verifyHeartbeatSchema.safeParse(run.earlier);
    this.#state =
      earlier.success && earlier.data.sizeBytes === sizeBytes
        ? earlier.data
        : {
            startedAtMs: run.nowMs(),
            sizeBytes,
            regions: Math.ceil(sizeBytes / VERIFY_REGION_BYTES),
            nextRegion: 0,
            mismatchedRegions: 0,
            mismatches: [],
            points: [],
            openings: 0,
          };
    run.heartbeat(this.#state);
  }

  async run(): Promise<void> {
    let inVain = 0;
    while (this.#state.nextRegion < this.#state.regions) {
      const before = this.#state.nextRegion;
      try {
        const open = this.#state.open ?? (await this.#openPoint());
        await this.#compareFrom(open);
      } catch (error) {
        inVain = this.#state.nextRegion > before ? 1 : inVain + 1;
        const isMended = error instanceof MoverError && hasRemedy(error.code, 'new-point');
        if (!isMended) throw error;
        await this.close();
        this.#refuseAnother(error, inVain);
        await this.#run.sleep(NEW_POINT_PAUSE_MS);
      }
    }
  }

  async #openPoint(): Promise<Open> {
    const { openings, nextRegion } = this.#state;
    this.#update({ openings: openings + 1 });
    const scan = `${this.#run.id}.${openings + 1}`;
    const { atMs, open } = await openPoint(this.#ports, this.#source, this.#run, {
      volume: this.#work.volume,
      scan,
      nextRegion,
    });
    // Leaves out points at which nothing was compared.
    const points = this.#state.points.filter(({ fromRegion, toRegion }) => toRegion > fromRegion);
    this.#update({ open, points: [...points, { atMs, ...open.mark, fromRegion: nextRegion, toRegion: nextRegion }] });
    return open;
  }

  async #compareFrom({ scan, image }: Open): Promise<void> {
    const { bytesPerSecond } = this.#work;
    const batch = Math.min(
      DIGESTS_PER_CALL_MAX,
      Math.max(1, Math.floor(bytesPerSecond / BATCHES_PER_SECOND / VERIFY_REGION_BYTES)),
    );
    const { signal } = this.#run;
    const options = signal === undefined ? {} : { signal };
    const { nextRegion, regions } = this.#state;
    const ask = { digestsMax: batch };
    const source = new DigestRuns(nextRegion, regions, (from, count) =>
      this.#source.calls.readScan({ scan, from, count, ...ask }, options),
    );
    const replica = new DigestRuns(nextRegion, regions, (from, count) =>
      anyAppliance(this.#ports, ({ calls }) => calls.digestImage({ image, from, count, ...ask }, options)),
    );
    while (this.#state.nextRegion < regions) {
      const startedAtMs = this.#run.monotonicMs();
      await Promise.all([source.fill(), replica.fill()]);
      const costBytes = this.#compare(source, replica);
      const dueAtMs = startedAtMs + (costBytes / bytesPerSecond) * 1_000;
      const earlyMs = dueAtMs - this.#run.monotonicMs();
      if (earlyMs >= 1) await this.#run.sleep(earlyMs);
      else signal?.throwIfAborted();
    }
  }

  /** Compares what both sides have told. @returns how many bytes it counts against the rate */
  #compare(source: DigestRuns, replica: DigestRuns): number {
    let { mismatches, mismatchedRegions, nextRegion } = this.#state;
    let costBytes = 0;
    for (;;) {
      const { first: one, regions: some } = source;
      const { first: other, regions: others } = replica;
      if (one === undefined || other === undefined) break;
      const count = Math.min(some, others);
      costBytes += count * costOf(one, other);
      if (one === null || contentOf(one) !== contentOf(other)) {
        const offset = nextRegion * VERIFY_REGION_BYTES;
        const length = Math.min(count * VERIFY_REGION_BYTES, this.#state.sizeBytes - offset);
        mismatches = withMismatch(mismatches, { offset, length, fault: faultOf(one, other) });
        mismatchedRegions += count;
      }
      nextRegion += count;
      source.drop(count);
      replica.drop(count);
    }
    const points = this.#state.points.map((point, i, all) =>
      i === all.length - 1 ? { ...point, toRegion: nextRegion } : point,
    );
    this.#update({ mismatches, mismatchedRegions, nextRegion, points });
    return costBytes;
  }

  /**
   * Refuses a further point. @throws MoverError POINT_UNAVAILABLE (retryable) when no recent point
   * has lasted; SCAN_NOT_FOUND after too many
   */
  #refuseAnother(cause: MoverError, inVain: number): void {
    const { volume } = this.#work;
    if (this.#state.points.length >= VERIFY_POINTS_MAX)
      throw new MoverError(
        'SCAN_NOT_FOUND',
        `Volume "${volume}" lost ${VERIFY_POINTS_MAX} common points, the last one because: ${cause.message}`,
        { cause },
      );
    if (inVain > POINTS_IN_VAIN_MAX)
      throw new MoverError(
        'POINT_UNAVAILABLE',
        `No common point of volume "${volume}" and its replica lasted: ${cause.message}`,
        { cause },
      );
  }

  #update(changes: Partial<VerifyHeartbeat>): void {
    this.#state = { ...this.#state, ...changes };
    this.#run.heartbeat(this.#state);
  }

  /** Closes both sides; one that can't be reached closes itself. */
  async close(): Promise<void> {
    const { open, ...rest } = this.#state;
    if (open === undefined) return;
    this.#state = rest;
    this.#run.heartbeat(this.#state);
    await closePoint(this.#ports, this.#source, open);
  }

  report(): VerifyReport {
    const { sizeBytes, regions, mismatches, mismatchedRegions, points, startedAtMs } = this.#state;
    const { volume, bytesPerSecond } = this.#work;
    const endedAtMs = Math.max(startedAtMs, this.#run.nowMs());
    return {
      volume,
      sizeBytes,
      regions,
      mismatches,
      mismatchedRegions,
      points,
      startedAtMs,
      endedAtMs,
      bytesPerSecond,
    };
  }
}

/**
 * The fault of a region. The source is checked first: without it the replica has nothing to compare
 * with.
 */
function faultOf(source: DigestRun, replica: DigestRun): Mismatch['fault'] {
  if (source === null) return 'source-unreadable';
  return replica === null ? 'replica-checksum' : 'differs';
}

/** The digest of each region of a run. A hole reads as zeroes, so it has their empty digest. */
function contentOf(run: DigestRun): string | null {
  return typeof run === 'number' ? '' : run;
}

/** Bytes that a region counts against the rate. */
function costOf(source: DigestRun, replica: DigestRun): number {
  if (contentOf(source) !== '' || contentOf(replica) !== '') return VERIFY_REGION_BYTES;
  return source === '' || replica === '' ? ZERO_REGION_BYTES : 0;
}
