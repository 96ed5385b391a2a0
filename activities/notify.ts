// Step 1: checks the plan, opens the attempt at the replica site, and tells the splitters that the
// volumes will leave.
import type { AttemptRef } from '../contracts/attempt.js';
import { hasRemedy } from '../contracts/error-registry.js';
import { MoverError } from '../contracts/errors.js';
import type { MovePlan, ParsedMoveInput } from '../contracts/move.js';
import type { AttemptContext, Held } from '../contracts/steps.js';
import { bySplitter, contextOf, findAttempt, refuseAborted } from './attempt-context.js';
import { isTooLateToFence, windowClosed, type FenceClock } from './fence-by.js';
import { planMove, QUEUE_ADVICE, refuseUnlessOk } from './plan.js';
import { applianceOf, type Ports } from '../control/ports.js';

/**
 * Notifies, or tells a move that queues who holds its volumes.
 * @param floor the next ticket when the attempt was planned, from the workflow's history. A step
 * must not read it anew: a repeated call could then open a forgotten attempt again.
 * @throws MoverError MOVE_REFUSED with every reason against the move; ATTEMPT_ABORTED;
 * WINDOW_CLOSED; those that pass by themselves; those of the appliance's `open` and the splitter's
 * `notify`.
 */
export async function notify(
  ports: Ports,
  input: ParsedMoveInput,
  attempt: AttemptRef,
  clock: FenceClock,
  floor?: number,
): Promise<AttemptContext | Held> {
  if (isTooLateToFence(input.options, clock)) return await committed(ports, input, attempt);
  const plan = await planMove(ports, input, attempt.move);
  if (!plan.ok) {
    const earlier = await resume(ports, input, attempt);
    if (earlier !== undefined) return earlier;
    const held = input.queue === true ? heldOf(plan) : undefined;
    if (held !== undefined) return held;
    refuseUnlessOk(plan, input);
  }
  try {
    return await notifySplitters(ports, await open(ports, plan, input, attempt, floor));
  } catch (error) {
    // Another move was first. A later look may find the volume where that move has put it.
    if (error instanceof Overtaken) return overtaken(error, plan, input);
    // The volumes have since moved away and back to where this move found them, at later epochs.
    const earlier = isMismatch(error) ? await resume(ports, input, attempt) : undefined;
    if (earlier === undefined) throw error;
    return earlier;
  }
}

/**
 * Resumes a committed attempt; past the time for fences nothing else continues.
 * @throws MoverError WINDOW_CLOSED
 */
async function committed(ports: Ports, input: ParsedMoveInput, attempt: AttemptRef): Promise<AttemptContext> {
  const record = await findAttempt(ports, attempt);
  if (record?.state !== 'COMMITTED') throw windowClosed(input.options);
  return await contextOf(ports, record, input.options);
}

/** Another move opened an attempt of a volume between the plan and the opening of this one. */
class Overtaken extends MoverError {}

/** @throws MoverError MOVE_REFUSED for a move that does not queue */
function overtaken({ message }: Overtaken, { from }: MovePlan, { queue }: ParsedMoveInput): Held {
  if (queue === true && from !== undefined) return { holders: [], from: from.group };
  throw new MoverError('MOVE_REFUSED', `The move cannot be made: another move was first. ${message} ${QUEUE_ADVICE}`, {
    reasons: [{ code: 'VOLUME_BUSY', subject: 'volumes', message }],
  });
}

/** Who holds the volumes, if that is all that is against the move, or passes by itself like it. */
function heldOf({ reasons, volumes, from }: MovePlan): Held | undefined {
  if (from === undefined || !reasons.every(({ code }) => hasRemedy(code, 'waiting'))) return undefined;
  const holders = volumes.flatMap(({ volume, heldBy, heldForMs: leaseMs }) =>
    heldBy === undefined ? [] : [{ volume, move: heldBy, ...(leaseMs === undefined ? {} : { leaseMs }) }],
  );
  return holders.length === 0 ? undefined : { holders, from: from.group };
}

function isMismatch(error: unknown): boolean {
  return error instanceof MoverError && error.code === 'ATTEMPT_MISMATCH';
}

/**
 * Resumes an attempt that an earlier run of this step opened. The estate may no longer match the
 * plan; the record counts.
 */
async function resume(ports: Ports, input: ParsedMoveInput, attempt: AttemptRef): Promise<AttemptContext | undefined> {
  const record = await findAttempt(ports, attempt);
  if (record === undefined) return undefined;
  refuseAborted(record);
  const context = await contextOf(ports, record, input.options);
  return record.state === 'COMMITTED' ? context : await notifySplitters(ports, context);
}

/** @throws Overtaken instead of VOLUME_BUSY; otherwise the error itself */
function rethrowOvertaken(error: unknown): never {
  if (error instanceof MoverError && error.code === 'VOLUME_BUSY') throw new Overtaken(error.code, error.message);
  throw error;
}

async function open(
  ports: Ports,
  { from, to, volumes }: MovePlan,
  { options }: ParsedMoveInput,
  attempt: AttemptRef,
  floor: number | undefined,
): Promise<AttemptContext> {
  if (from === undefined || to === undefined) {
    throw new MoverError('INTERNAL', 'A plan without reasons against it names both groups.');
  }
  const opening = {
    attempt,
    volumes: volumes.map(({ volume, splitter, epoch }) => ({ volume, splitter, epoch })),
    from: from.group,
    to: to.group,
    leaseMs: options.leaseMs,
    deadlineAfterMs: options.attemptDeadlineMs,
    ...(options.reversibleForMs === undefined ? {} : { reversibleForMs: options.reversibleForMs }),
    ...(floor === undefined ? {} : { floor }),
  };
  const record = await applianceOf(ports, from.appliance).calls.open(opening).catch(rethrowOvertaken);
  refuseAborted(record);
  const { contents } = record;
  if (contents === undefined) throw new MoverError('INTERNAL', 'An attempt that was opened has contents.');
  return { attempt: { ...attempt, ticket: contents.ticket }, volumes: contents.volumes, from, to, options };
}

async function notifySplitters(ports: Ports, context: AttemptContext): Promise<AttemptContext> {
  const { attempt, from, to } = context;
  const resolvers = [...new Set([from.url, to.url])];
  await Promise.all(
    bySplitter(ports, context.volumes).map(async ({ splitter, volumes }) =>
      splitter.calls.notify({ attempt, volumes, from, to, resolvers }),
    ),
  );
  return context;
}
