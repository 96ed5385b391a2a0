// The verification of one volume as a Temporal activity.
import { proxyActivities, type ActivityOptions } from '@temporalio/workflow';
import type { MoveActivities } from '../../activities/create-activities.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { VerifyReport } from '../../contracts/verify.js';

const SECOND_MS = 1_000;
const DAY_MS = 24 * 3_600 * SECOND_MS;

/** Longest run, ms. The largest volume (64 TiB) at the default rate takes four days. */
const RUN_MS_MAX = 7 * DAY_MS;
/** Heartbeat timeout, ms: after it another worker resumes from the last heartbeat. */
const HEARTBEAT_TIMEOUT_MS = 8 * SECOND_MS;
/**
 * Tries, in the end ten seconds apart: they outlast half an hour of an unreachable estate, or of a
 * volume that has only marks.
 */
const TRIES_MAX = 180;
/**
 * Priority behind everything that a guest or a person waits for (1 is the most urgent of 5, 3 the
 * default).
 */
const PRIORITY = { priorityKey: 4 } as const;

/**
 * Verifies one volume. @throws ActivityFailure whose cause is VERIFY_MISMATCH with the report as
 * its second detail, or the reason why there is no report
 */
export async function verifyReplica(volume: VolumeId, bytesPerSecond: number): Promise<VerifyReport> {
  const options: ActivityOptions = {
    startToCloseTimeout: RUN_MS_MAX,
    heartbeatTimeout: HEARTBEAT_TIMEOUT_MS,
    retry: {
      initialInterval: SECOND_MS / 2,
      backoffCoefficient: 1.5,
      maximumInterval: 10 * SECOND_MS,
      maximumAttempts: TRIES_MAX,
    },
    priority: PRIORITY,
    // A cancelled verification releases both sides before the workflow ends.
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary: `verify ${volume}`,
  };
  const { verify } = proxyActivities<MoveActivities>(options);
  return verify({ volume, bytesPerSecond });
}
