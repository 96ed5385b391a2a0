// Limits on what a splitter takes from its host.
import { z } from 'zod';
import { parseOrRefuse } from '../../contracts/errors.js';

const MIB = 1024 * 1024;

export interface SplitterLimits {
  /** Most memory for copies of one volume's unconfirmed writes, in bytes. */
  readonly queueMaxBytes: number;
  /** Most memory for the copies of all volumes, in bytes. */
  readonly memoryMaxBytes: number;
  /** Largest spill file of one volume's backlog, in bytes. */
  readonly spillMaxBytes: number;
  /**
   * How long after the start guests wait for the replica site's word about a new disk, in
   * milliseconds.
   */
  readonly proofWaitMs: number;
}

/**
 * Default limits. A queue holds about a second of a fast disk's writes; four full queues fill the
 * memory. A Linux guest gives a disk's request 30 s; others give it more.
 */
export const DEFAULT_SPLITTER_LIMITS: SplitterLimits = {
  queueMaxBytes: 64 * MIB,
  memoryMaxBytes: 256 * MIB,
  spillMaxBytes: 256 * MIB,
  proofWaitMs: 20_000,
};

const MIB_MAX = 1024 * 1024;
/** Longest proof wait, in seconds: longer than any guest's patience. */
const PROOF_WAIT_S_MAX = 600;
const mib = (defaultBytes: number): z.ZodType<number> =>
  z.coerce
    .number({ error: 'a number of MiB' })
    .min(0)
    .max(MIB_MAX)
    .default(defaultBytes / MIB)
    .transform((size) => size * MIB);

const environmentSchema = z.object({
  VOLUME_MOVER_QUEUE_MIB: mib(DEFAULT_SPLITTER_LIMITS.queueMaxBytes),
  VOLUME_MOVER_MEMORY_MIB: mib(DEFAULT_SPLITTER_LIMITS.memoryMaxBytes),
  VOLUME_MOVER_SPILL_MIB: mib(DEFAULT_SPLITTER_LIMITS.spillMaxBytes),
  VOLUME_MOVER_PROOF_WAIT_S: z.coerce
    .number({ error: 'a number of seconds' })
    .min(0)
    .max(PROOF_WAIT_S_MAX)
    .default(DEFAULT_SPLITTER_LIMITS.proofWaitMs / 1000),
});

/**
 * Reads the limits from the environment, with defaults.
 * @throws MoverError INVALID_REQUEST naming the variable at fault.
 */
export function readSplitterLimits(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): SplitterLimits {
  const read = parseOrRefuse(environmentSchema, environment, 'environment');
  return {
    queueMaxBytes: read.VOLUME_MOVER_QUEUE_MIB,
    memoryMaxBytes: read.VOLUME_MOVER_MEMORY_MIB,
    spillMaxBytes: read.VOLUME_MOVER_SPILL_MIB,
    proofWaitMs: read.VOLUME_MOVER_PROOF_WAIT_S * 1000,
  };
}
