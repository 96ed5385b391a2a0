// What a move reports is what happened: its outcome is the verdict at the replica site, and nothing
// of it is left at a splitter.
import { attemptName, type AttemptRecord } from '../../../contracts/attempt.js';
import { hasRemedy } from '../../../contracts/error-registry.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { MoveReport } from '../../../contracts/move.js';
import type { OpenWayBack } from '../../../simulator/replica-site/core/ways-back.js';
import { ATTEMPTS_MAX, type MoveEnd } from '../orchestrator.js';
import type { World } from '../world.js';
import { checkNothingLeft, recordsOf } from './left-behind.js';

/** A move of the story, and how it ended. */
export interface Told {
  readonly move: string;
  readonly volumes: readonly VolumeId[];
  readonly end: MoveEnd;
  /** Whether other moves of these volumes ran at the same time. */
  readonly crossed: boolean;
  /** Whether the workflow was reset: activities of its first run may still open an attempt. */
  readonly reset: boolean;
  /** Whether it had a latest time for its fence, or a short deadline. */
  readonly hasWindow: boolean;
  readonly fenceByMs?: number | undefined;
  /** Whether a person asked things of it. */
  readonly steered: boolean;
  /** Whether it can be reversed for a while. */
  readonly reversible: boolean;
  /** The way back that it took, which was open when it began. */
  readonly back?: OpenWayBack | undefined;
}

/**
 * Checks a move right when it ends. A terminated one leaves everything to leases, and a crossed one
 * may have been overtaken.
 */
export function checkEnded(world: World, { move, volumes, end, crossed, reset }: Told): void {
  if (end.kind === 'terminated') return;
  const records = recordsOf(world, move);
  const states = records.map(({ attempt, state }) => `${attempt.n} ${state}`).join(', ');
  const committed = records.filter(({ state }) => state === 'COMMITTED');
  if (!world.hasSiteForgotten) {
    if (!reset && records.some(({ state }) => state === 'OPEN'))
      throw new Error(`${move} ended as ${end.kind} and left ${states}`);
    if (committed.length !== (end.kind === 'moved' ? 1 : 0) && !isCutShort(world, end))
      throw new Error(`${move} ended as ${end.kind}, and its attempts are: ${states}`);
  }
  const [only] = committed;
  if (end.kind === 'moved' && only !== undefined) checkMoved(world, end.report, only);
  const { verdict } = end.progress;
  // A cancellation between two attempts ends the move where it waits.
  const isWaiting = end.kind === 'cancelled' && end.progress.stage === 'waiting-to-retry';
  const stage = isWaiting ? 'failed' : end.progress.stage;
  const isRight = end.kind === 'moved' ? verdict === 'COMMITTED' && stage === 'done' : stage === 'failed';
  if (!isRight)
    if (!crossed && !reset && !isCutShort(world, end) && !hasTwoVerdicts(world, end))
      throw new Error(`${move} ended as ${end.kind} and shows ${verdict} at stage ${stage}`);
  if (end.kind === 'failed' && end.code !== undefined && hasRemedy(end.code, 'new-attempt'))
    if (end.progress.attempt < ATTEMPTS_MAX && !isCutShort(world, end))
      throw new Error(`${move} gave up with ${end.code} at its attempt ${end.progress.attempt}`);
  if (!reset && !world.hasSiteForgotten && !world.hasSplitterForgotten) checkNothingLeft(world, move, volumes);
}

/**
 * Checks that no fence is raised after the window, except by a request that was on its way. True
 * only in a network that neither loses nor repeats.
 */
export function checkWindow(
  world: World,
  { move, fenceByMs = Number.MAX_SAFE_INTEGER }: Told,
  delayMsMax: number,
): void {
  for (const [name, atMs] of world.witness.fencedAtMs)
    if (name.startsWith(`${move}#`) && atMs > fenceByMs + delayMsMax + 1)
      throw new Error(`${name} raised a fence at ${atMs}, and its window ended at ${fenceByMs}`);
}

/**
 * Whether a move failed after its commit for a reason that may be. STALE_ATTEMPT: another move took
 * its volumes on before they had joined. NOT_FENCED: a folder that was put back has forgotten the
 * fence, or why there is none.
 */
function isCutShort(world: World, end: MoveEnd): boolean {
  if (end.kind !== 'failed' || end.progress.verdict !== 'COMMITTED') return false;
  const hasForgotten = world.hasSplitterForgotten || world.hasSiteForgotten;
  return end.code === 'STALE_ATTEMPT' || (end.code === 'NOT_FENCED' && hasForgotten);
}

/** A splitter knew of a commit that the site, put back since, had lost: the failure says so. */
function hasTwoVerdicts(world: World, end: MoveEnd): boolean {
  return world.hasSiteForgotten && end.kind === 'failed' && end.code === 'ATTEMPT_MISMATCH';
}

function checkMoved(world: World, report: MoveReport, record: AttemptRecord): void {
  const { contents, seals, left, joined } = record;
  const name = attemptName(record.attempt);
  if (attemptName(report.attempt) !== name)
    throw new Error(`${report.move} reports attempt ${report.attempt.n}, not ${name}`);
  if (contents === undefined || left === undefined || joined === undefined) {
    // A copy that was put back since is older than them.
    if (world.hasSiteForgotten) return;
    throw new Error(`${name} counts as moved without ${left === undefined ? 'a "left"' : 'a "joined"'} bookmark`);
  }
  const { bookmarks, volumes } = report;
  if (bookmarks.left.point !== left.point || bookmarks.joined.point !== joined.point)
    throw new Error(`${name} reports the bookmarks ${JSON.stringify(bookmarks)}, not those of its record`);
  if (volumes.length !== contents.volumes.length) throw new Error(`${name} reports ${volumes.length} volumes`);
  for (const { volume, epoch } of contents.volumes) {
    const reported = volumes.find((candidate) => candidate.volume === volume);
    const seal = seals.find((candidate) => candidate.volume === volume);
    if (reported === undefined || seal === undefined) throw new Error(`${name} does not report ${volume}`);
    if (reported.epochBefore !== epoch || reported.epochAfter !== epoch + 1 || reported.cut.position !== seal.position)
      throw new Error(`${name} reports ${JSON.stringify(reported)}, and its seal is ${JSON.stringify(seal)}`);
  }
  checkWhole(world, record);
}

/** Both bookmarks of a committed move are on points with every volume of it. */
export function checkWhole(world: World, { attempt, contents, left, joined, seals }: AttemptRecord): void {
  for (const { volume, epoch } of contents?.volumes ?? []) {
    const memberIn = (point: string | undefined) =>
      point === undefined
        ? undefined
        : world.site.state.points.get(point)?.point.members.find((member) => member.volume === volume);
    const isKept = (point: string | undefined): boolean =>
      point !== undefined && world.site.state.points.get(point) !== undefined;
    const seal = seals.find((candidate) => candidate.volume === volume);
    const before = memberIn(left?.point);
    if (isKept(left?.point) && (before?.epoch !== epoch || before.position !== seal?.position))
      throw new Error(`the "left" point of ${attemptName(attempt)} has ${volume} as ${JSON.stringify(before)}`);
    const after = memberIn(joined?.point);
    if (isKept(joined?.point) && (after?.epoch !== epoch + 1 || after.position < (seal?.position ?? 0)))
      throw new Error(`the "joined" point of ${attemptName(attempt)} has ${volume} as ${JSON.stringify(after)}`);
  }
}
