// Everything that must hold once a run is quiet, in one place.
import { attemptName } from '../../../contracts/attempt.js';
import type { GroupId } from '../../../contracts/ids.js';
import { HOLD_MS_MAX } from '../../../contracts/splitter-api.js';
import { checkQuiet } from '../checker.js';
import type { World } from '../world.js';
import { checkCauses } from './causes.js';
import { checkWhole, type Told } from './endings.js';
import { checkHistory, checkMembers, checkRecords } from './ownership.js';
import { checkProvisional } from './provisional.js';
import { checkRepeats } from './repeats.js';
import { checkResidue } from './residue.js';
import { checkPointTimes, checkRecoveryByTime } from './times.js';
import { checkOpenable } from './retention.js';

/** Longest write of a guest, in ms: a hold, the tick that ends it, and the write's own pauses. */
const WRITE_MS_MAX = HOLD_MS_MAX + 60;

/**
 * What is not at rest yet. Undefined once the guest is served, both ends agree, and no move has
 * left anything behind.
 */
export function whyNotSettled(world: World, openAttempts: 'none' | 'in nobody’s way'): string | undefined {
  if (world.acknowledged !== world.history.length) return 'the guest is not served';
  if ([...world.appliances.values()].some(({ paused }) => paused.size > 0)) return 'a group is still paused';
  try {
    checkQuiet(world);
    checkResidue(world, { openAttempts });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Judges a run that is over and settled. */
export function judge(world: World, told: readonly Told[], firstGroup: GroupId, smallGroups: boolean): void {
  if (world.faults.confirmCuts && world.worstLatencyMs > WRITE_MS_MAX)
    throw new Error(`the guest waited ${world.worstLatencyMs} ms for one write`);
  checkCauses(world, told, smallGroups);
  checkHistory(world, firstGroup);
  for (const { record } of world.site.state.attempts.values())
    if (record.state === 'COMMITTED' && record.contents !== undefined) checkWhole(world, record);
  for (const cause of causesOf(world)) world.reaches(`aborted: ${cause}`);
  const hasForgotten = world.hasSiteForgotten || world.hasSplitterForgotten;
  checkMembers(world);
  checkRecords(world);
  if (world.retention !== undefined) checkOpenable(world.site);
  if (!hasForgotten) {
    const { struck, kept } = checkProvisional(world);
    if (struck > 0) world.reaches('provisional members struck');
    if (kept > 0) world.reaches('provisional members kept');
    checkVerdictsTaught(world);
    checkRepeats(world);
  }
  if (world.faults.clockJump === 0 && world.time.wallShiftsMs.size === 0) {
    if (!hasForgotten) checkPointTimes(world);
    checkRecoveryByTime(world);
  }
}

/** How the site words why it aborted an attempt. */
const CAUSES = [
  'superseded',
  'its lease ran out and another move needed the volume',
  'its lease ran out and another move needed the room',
  'its lease ran out, and volume',
  'lease ran out',
  'announced and gone',
  'the move was cancelled',
  "the move's workflow was terminated",
  'the history of volume',
] as const;

function causesOf(world: World): string[] {
  return [...world.site.state.attempts.values()].flatMap(({ record: { state, reason = '' } }) =>
    state === 'ABORTED' ? [CAUSES.find((cause) => reason.startsWith(cause)) ?? 'another failure'] : [],
  );
}

/** A splitter's newest verdict on a volume is the record's. */
function checkVerdictsTaught(world: World): void {
  for (const volume of world.volumes) {
    const decided = world.hostOf(volume).core?.volume(volume).row.decided;
    if (decided === undefined) continue;
    const record = world.recordOf({ move: decided.attempt.move, n: decided.attempt.n });
    if (record?.state !== decided.verdict)
      throw new Error(
        `${volume} learned ${decided.verdict} of ${attemptName(decided.attempt)}, which is ${record?.state}`,
      );
  }
}
