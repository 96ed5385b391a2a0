// Step 2: waits until little is in transit, raises the fence, and waits until everything up to the
// cut is applied to the replicas.
import { attemptName, type Cut } from '../contracts/attempt.js';
import { MoverError } from '../contracts/errors.js';
import type { VolumeId } from '../contracts/ids.js';
import type { Heartbeat } from '../contracts/move.js';
import { HOLD_MS_MAX, type SplitterVolume } from '../contracts/splitter-api.js';
import type { AttemptContext, Flushed } from '../contracts/steps.js';
import {
  bySplitter,
  findAttempt,
  inventory,
  refuseAborted,
  renewLeases,
  undistributedBytes,
} from './attempt-context.js';
import { isTooLateToFence, windowClosed } from './fence-by.js';
import { applianceOf, type Ports } from '../control/ports.js';
import type { StepRun } from './run.js';
import { ShrinkRate } from './shrink-rate.js';

/**
 * First pause between polls of the lag or the drain, ms. It is short since a quiet volume drains at
 * once.
 */
const POLL_MS_MIN = 5;
const POLL_MS_MAX = 200;
/** Renewals in one length of a lease. */
const RENEWALS_PER_LEASE = 4;

/**
 * Flushes the volumes. @throws MoverError LAG_TOO_LARGE, WINDOW_CLOSED, HOOK_VETO, NOT_SYNCED,
 * CUT_VOID, FENCE_LAPSED, ATTEMPT_ABORTED and those of the control calls
 */
export async function flush(ports: Ports, context: AttemptContext, run: StepRun): Promise<Flushed> {
  const before = await inventory(ports, context);
  const resentBytes: Flushed['resentBytes'] = before.map(({ volume, resentBytes: bytes }) => ({ volume, bytes }));
  const untouched = before.every((split) => isUntouched(context, split));
  const earlier = untouched ? undefined : await flushedBefore(ports, context);
  if (earlier !== undefined) return { ...earlier, resentBytes };
  const fenced = (split: SplitterVolume): boolean => split.fence?.attempt.ticket === context.attempt.ticket;
  const isFenced = before.every(fenced);
  if (!isFenced) await waitForSmallLag(ports, context, before, run);
  // Behind a fence of an earlier run it is too late for hooks.
  const raised = isFenced ? await raiseFences(ports, context, run) : await raiseFrozen(ports, context, run);
  await drain(ports, context, raised.cuts, run);
  return { ...raised, resentBytes };
}

/**
 * Raises the fences while hooks hold applications frozen. They are thawed whatever comes of it.
 * @throws MoverError WINDOW_CLOSED, HOOK_VETO, and as raiseFences
 */
async function raiseFrozen(ports: Ports, context: AttemptContext, run: StepRun): Promise<Raised> {
  refuseTooLate(context, run);
  const { hooks } = ports;
  if (hooks === undefined) return await raiseFences(ports, context, run);
  const { attempt, volumes, from, to, options } = context;
  const { move, n } = attempt;
  // Hooks take their time, which the attempt must outlast.
  await applianceOf(ports, from.appliance).calls.renew({ attempt: { move, n }, leaseMs: options.leaseMs });
  const moving = volumes.map(({ volume }) => volume);
  const frozen = await hooks.beforeFence({ attempt: { move, n }, volumes: moving, from: from.group, to: to.group });
  let raised: Raised;
  let isFirst = false;
  let isHeld = false;
  try {
    // A late call of an earlier run may have raised a fence before the freeze: its cut would count.
    isFirst = (await inventory(ports, context)).every((split) => isUntouched(context, split));
    refuseTooLate(context, run);
    raised = await raiseFences(ports, context, run);
  } finally {
    isHeld = await frozen.thaw();
  }
  return isFirst && isHeld ? { ...raised, applicationConsistent: true } : raised;
}

/** Refuses to raise a fence too late. @throws MoverError WINDOW_CLOSED */
function refuseTooLate({ options }: AttemptContext, run: StepRun): void {
  if (isTooLateToFence(options, run)) throw windowClosed(options);
}

/**
 * Whether this attempt has neither fenced nor committed, so that no earlier run of this step came
 * far.
 */
function isUntouched({ attempt, volumes }: AttemptContext, split: SplitterVolume): boolean {
  const bound = volumes.find(({ volume }) => volume === split.volume);
  return split.fence?.attempt.ticket !== attempt.ticket && split.route.epoch === bound?.epoch;
}

/** The flush of an earlier run of this step, if a seal exists: its outcome is in the record. */
async function flushedBefore(
  ports: Ports,
  { attempt }: AttemptContext,
): Promise<Omit<Flushed, 'resentBytes'> | undefined> {
  const record = await findAttempt(ports, attempt);
  if (record === undefined)
    throw new MoverError('ATTEMPT_ABORTED', `The replica site no longer knows ${attemptName(attempt)}.`);
  refuseAborted(record);
  if (record.left === undefined) return undefined;
  const cuts = record.seals.map(({ volume, session, n }) => ({ volume, session, n }));
  const { atMs: cutAtMs, applicationConsistent } = record.left;
  return { cuts, others: [], cutAtMs, ...(applicationConsistent === true ? { applicationConsistent } : {}) };
}

/** Polls at growing intervals until `done`, and calls `renew` in time on the way. */
async function poll(
  run: StepRun,
  leaseMs: number,
  renew: () => Promise<void>,
  done: () => Promise<boolean>,
): Promise<void> {
  let renewedAtMs = run.monotonicMs();
  for (let pauseMs = POLL_MS_MIN; !(await done()); pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX)) {
    await run.sleep(pauseMs);
    if (run.monotonicMs() - renewedAtMs < leaseMs / RENEWALS_PER_LEASE) continue;
    await renew();
    renewedAtMs = run.monotonicMs();
  }
}

async function waitForSmallLag(
  ports: Ports,
  context: AttemptContext,
  first: readonly SplitterVolume[],
  run: StepRun,
): Promise<void> {
  const { options, attempt } = context;
  const startedAtMs = run.monotonicMs();
  const renew = async (): Promise<void> => {
    const { move, n } = attempt;
    await applianceOf(ports, context.from.appliance).calls.renew({ attempt: { move, n }, leaseMs: options.leaseMs });
  };
  const rate = new ShrinkRate();
  let cached: readonly SplitterVolume[] | undefined = first;
  const readVolumes = async (): Promise<readonly SplitterVolume[]> => cached ?? (await inventory(ports, context));
  await poll(run, options.leaseMs, renew, async () => {
    refuseTooLate(context, run);
    const [splits, undistributed] = await Promise.all([readVolumes(), undistributedBytes(ports, context)]);
    cached = undefined;
    const bytesLeft = undistributed + splits.reduce((sum, split) => sum + split.unconfirmedBytes, 0);
    run.heartbeat({ doing: 'waiting for small lag', ...shrinking(rate, bytesLeft, run), ...reasonOf(splits) });
    if (bytesLeft <= options.lagBytesMax && splits.every(isSynced)) return true;
    if (run.monotonicMs() - startedAtMs > options.lagWaitMs) throw lagTooLarge(options, bytesLeft, splits);
    return false;
  });
}

function isSynced(split: SplitterVolume): boolean {
  return split.mode === 'SYNCED' && split.connected && split.stalled === undefined;
}

/** Why the move waits for more than bytes. */
function reasonOf(splits: readonly SplitterVolume[]): Pick<Heartbeat, 'waitsFor'> {
  const late = splits.find((split) => !isSynced(split));
  return late === undefined ? {} : { waitsFor: `${late.volume} is ${lateness(late)}` };
}

/** The bytes left, and how fast they become fewer. */
function shrinking(rate: ShrinkRate, bytesLeft: number, run: StepRun): Pick<Heartbeat, 'bytesLeft' | 'bytesPerSecond'> {
  const bytesPerSecond = rate.sample(bytesLeft, run.monotonicMs());
  return { bytesLeft, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) };
}

function lateness({ connected, stalled, mode }: SplitterVolume): string {
  if (!connected) return 'not connected to its appliance';
  return stalled === undefined ? mode : 'stalled: the replica site accepts no writes of it';
}

function lagTooLarge(
  { lagWaitMs, lagBytesMax }: AttemptContext['options'],
  bytesLeft: number,
  splits: readonly SplitterVolume[],
): MoverError {
  const late = splits.filter((split) => !isSynced(split)).map((split) => `; ${split.volume} is ${lateness(split)}`);
  const still = `${bytesLeft} bytes are still on their way (allowed: ${lagBytesMax})`;
  return new MoverError('LAG_TOO_LARGE', `After ${lagWaitMs} ms ${still}${late.join('')}.`);
}

type Raised = Omit<Flushed, 'cuts' | 'others' | 'resentBytes'> & { cuts: Cut[]; others: Cut[] };

/**
 * Raises the fences. One splitter's cut is one instant and needs no hold. Several must all still
 * hold after all have answered.
 */
async function raiseFences(ports: Ports, context: AttemptContext, run: StepRun): Promise<Raised> {
  const { attempt, options } = context;
  const { leaseMs } = options;
  const hosts = bySplitter(ports, context.volumes);
  run.heartbeat({ doing: 'fencing', bytesLeft: 0, leaseExpiresAtMs: run.nowMs() + leaseMs });
  const holdMs = hosts.length > 1 ? HOLD_MS_MAX : 0;
  const idsOf = (volumes: readonly { readonly volume: VolumeId }[]): VolumeId[] => volumes.map(({ volume }) => volume);
  const answers = await Promise.all(
    hosts.map(async ({ splitter, volumes }) =>
      splitter.calls.fence({ attempt, volumes: idsOf(volumes), leaseMs, holdMs }),
    ),
  );
  if (hosts.length > 1) {
    const confirmed = await Promise.all(
      hosts.map(async ({ splitter }, i) => splitter.calls.confirm({ attempt, life: answers[i]?.life })),
    );
    if (!confirmed.every(({ held }) => held)) {
      const why = `Not every splitter held its writes until all had answered, so the ${hosts.length} cuts are not one instant.`;
      throw new MoverError('CUT_VOID', why);
    }
  }
  const doubt = answers.find((answer) => answer.doubt !== undefined)?.doubt;
  return {
    cuts: answers.flatMap((answer) => answer.cuts),
    others: hosts.length > 1 ? [] : answers.flatMap((answer) => answer.others),
    cutAtMs: Math.max(...answers.map((answer) => answer.atMs)),
    ...(doubt === undefined ? {} : { clockDoubt: doubt }),
  };
}

async function drain(ports: Ports, context: AttemptContext, cuts: Cut[], run: StepRun): Promise<void> {
  const { move, n } = context.attempt;
  const { leaseMs } = context.options;
  const appliance = applianceOf(ports, context.from.appliance);
  let leaseExpiresAtMs = run.nowMs() + leaseMs;
  const fencedAtMs = run.monotonicMs();
  const rate = new ShrinkRate();
  const renew = async (): Promise<void> => {
    leaseExpiresAtMs = run.nowMs() + (await renewLeases(ports, context));
  };
  await poll(run, leaseMs, renew, async () => {
    const progress = await appliance.calls.drain({ attempt: { move, n }, cuts });
    const fencedMs = Math.round(run.monotonicMs() - fencedAtMs);
    run.heartbeat({
      doing: 'draining',
      ...shrinking(rate, progress.bytesLeft, run),
      fencedMs,
      leaseExpiresAtMs,
    });
    return progress.drained;
  });
}
