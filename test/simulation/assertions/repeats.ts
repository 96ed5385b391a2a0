// A control call may be repeated for ever: long after its move has ended it gets the same answer,
// or is refused as over, and changes nothing.
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  attemptName,
  attemptRecordSchema,
  type AttemptRecord,
  type TicketedAttempt,
} from '../../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import { splitterApi } from '../../../contracts/splitter-api.js';
import { mayBeForgotten } from '../../../simulator/replica-site/core/forgetting.js';
import type { SplitterHost } from '../splitter-host.js';
import type { Served } from '../witness.js';
import type { World } from '../world.js';

/** Calls of the site that answer with the attempt's record, and need it to be open. */
const STEPS_OF_AN_OPEN_ATTEMPT: ReadonlySet<string> = new Set(['renew', 'seal', 'bookmark', 'adopt']);
const RECORD_CALLS: ReadonlySet<string> = new Set(['open', 'resolve', 'get', 'join', ...STEPS_OF_AN_OPEN_ATTEMPT]);

/**
 * Makes every answered call of the run once more. Once quiet, every attempt is over.
 * @returns how many calls were repeated.
 */
export function checkRepeats(world: World): number {
  let repeated = 0;
  const calls = [...world.witness.served.values()];
  const before = stored(world);
  for (const served of calls) {
    const host = [...world.splitters.values()].find(({ id }) => id === served.process);
    if (host === undefined) {
      if (!RECORD_CALLS.has(served.call)) continue;
      checkRecord(world, served);
    } else if (!checkSplitter(world, host, served)) continue;
    repeated += 1;
  }
  const after = stored(world);
  for (const [place, rows] of before)
    if (!isDeepStrictEqual(rows, after.get(place))) throw new Error(`repeated calls have changed ${place}`);
  return repeated;
}

function stored(world: World): Map<string, unknown> {
  const places = new Map<string, unknown>(world.site.storedRows());
  for (const host of world.splitters.values()) places.set(`the rows of ${host.id}`, host.storedRows());
  return places;
}

/** Records by the answers they were parsed from. Answers are values: a right one stays right. */
const parsedRecords = new WeakMap<object, AttemptRecord>();

function recordOf(answer: unknown): AttemptRecord {
  const known = typeof answer === 'object' && answer !== null ? parsedRecords.get(answer) : undefined;
  const record = known ?? attemptRecordSchema.parse(answer);
  if (typeof answer === 'object' && answer !== null) parsedRecords.set(answer, record);
  return record;
}

function outcomeOf(again: () => unknown): { readonly answer: unknown } | { readonly code: ErrorCode } {
  try {
    return { answer: again() };
  } catch (error) {
    if (error instanceof MoverError) return { code: error.code };
    throw error;
  }
}

function checkRecord(world: World, { call, again, answer, input }: Served): void {
  const first = recordOf(answer);
  const name = attemptName(first.attempt);
  const now = world.site.state.attempt(first.attempt);
  if (now === undefined) {
    if (!isPlannedAnew(world, first, input)) checkForgotten(world, first, call, again);
    return;
  }
  const outcome = outcomeOf(again);
  const what = (): string => `"${call}" of ${name} was answered, and repeated with ${JSON.stringify(input)}`;
  if ('code' in outcome) {
    const code = now.state === 'ABORTED' ? 'ATTEMPT_ABORTED' : 'ATTEMPT_COMMITTED';
    const isOver = STEPS_OF_AN_OPEN_ATTEMPT.has(call) && outcome.code === code && isLate(call, now);
    // Its volumes were moved on before they had joined, or the point is gone meanwhile.
    const hasNotJoined = call === 'join' && now.joined === undefined;
    if (!isOver && !(hasNotJoined && (outcome.code === 'STALE_ATTEMPT' || outcome.code === 'POINT_NOT_FOUND')))
      throw new Error(`${what()} it gets ${outcome.code}`);
    return;
  }
  const repeated = recordOf(outcome.answer);
  if (outcome.answer !== now && !isDeepStrictEqual(repeated, now) && call !== 'join')
    throw new Error(`${what()} it gets ${JSON.stringify(outcome.answer)} instead of ${JSON.stringify(now)}`);
  const kept: readonly (keyof AttemptRecord)[] =
    first.state === 'OPEN'
      ? []
      : ['state', 'decidedAtMs', 'seals', ...(first.joined === undefined ? [] : (['joined'] as const))];
  for (const field of kept)
    if (!isDeepStrictEqual(first[field], now[field]))
      throw new Error(
        `${what()} its ${field} is ${JSON.stringify(now[field])}, and was ${JSON.stringify(first[field])}`,
      );
}

/**
 * Whether the call's floor was read after the attempt was over: a reset of the workflow to before
 * its first step plans the attempt anew, under its old name. Such a call is judged as a new one.
 */
function isPlannedAnew({ site: { state } }: World, { attempt }: AttemptRecord, input: unknown): boolean {
  const { floor } = z.object({ floor: z.number().optional() }).parse(input);
  return floor !== undefined && !mayBeForgotten(state, attempt, floor);
}

/** A late call of an attempt that the site has forgotten is refused, whatever it is. */
function checkForgotten(world: World, first: AttemptRecord, call: string, again: () => unknown): void {
  const name = attemptName(first.attempt);
  const known = world.recordOf(first.attempt);
  if (known === undefined) throw new Error(`the replica site no longer knows ${name}`);
  const outcome = outcomeOf(again);
  const expected = call === 'open' || call === 'resolve' ? 'STALE_ATTEMPT' : 'ATTEMPT_NOT_FOUND';
  if (!('code' in outcome) || outcome.code !== expected)
    throw new Error(`"${call}" of ${name}, which is forgotten, gets ${JSON.stringify(outcome)} instead of ${expected}`);
  world.reaches(`late ${call} of a forgotten attempt`);
}

/** Whether a step is refused once the attempt is over; of a committed one only the renewal is. */
function isLate(call: string, now: AttemptRecord): boolean {
  return now.state === 'ABORTED' || call === 'renew';
}

/** @returns whether the call is one of an attempt. */
function checkSplitter({ inputs }: World, host: SplitterHost, { call, input, answer }: Served): boolean {
  const { core } = host;
  if (core === undefined) throw new Error(`${host.id} is down`);
  switch (call) {
    case 'notify': {
      const { attempt, volumes, ...rest } = inputs.of(splitterApi.notify.input, input);
      for (const bound of volumes)
        refusedAsOver(host, bound.volume, call, attempt, () => core.notify({ attempt, volumes: [bound], ...rest }));
      return true;
    }
    case 'fence': {
      const { attempt, volumes, ...rest } = inputs.of(splitterApi.fence.input, input);
      for (const volume of volumes)
        refusedAsOver(host, volume, call, attempt, () =>
          core.fence({ attempt, volumes: [volume], ...rest }, { monotonicMs: 0, wallMs: 0 }),
        );
      return true;
    }
    case 'learn': {
      const { attempt, volumes, ...rest } = inputs.of(splitterApi.learn.input, input);
      const first = splitterApi.learn.output.parse(answer);
      for (const bound of volumes) {
        const { decided } = core.volume(bound.volume).row;
        const again = (): unknown => core.learn({ attempt, volumes: [bound], ...rest }, 0);
        if (decided?.attempt.ticket !== attempt.ticket) refusedAsOver(host, bound.volume, call, attempt, again);
        else {
          const learned = splitterApi.learn.output.parse(again()).learned;
          const before = first.learned.filter(({ volume }) => volume === bound.volume);
          if (before.length > 0 && !isDeepStrictEqual(learned, before))
            throw new Error(
              `${bound.volume} learned ${JSON.stringify(before)} of ${attemptName(attempt)}, and now says ${JSON.stringify(learned)}`,
            );
        }
      }
      return true;
    }
    case 'renew': {
      const { attempt, leaseMs } = inputs.of(splitterApi.renew.input, input);
      const outcome = outcomeOf(() => core.renew({ attempt, leaseMs }, 0));
      if (!('code' in outcome) || outcome.code !== 'NOT_FENCED')
        throw new Error(
          `${host.id} renewed a fence of ${attemptName(attempt)}, which is over: ${JSON.stringify(outcome)}`,
        );
      return true;
    }
    default:
      return false;
  }
}

/** The verdict that the splitter knows of the attempt, or that a newer attempt was there since. */
function refusedAsOver(
  host: SplitterHost,
  volume: VolumeId,
  call: string,
  attempt: TicketedAttempt,
  again: () => unknown,
): void {
  const decided = host.core?.volume(volume).row.decided;
  const expected: ErrorCode =
    decided?.attempt.ticket !== attempt.ticket
      ? 'STALE_ATTEMPT'
      : decided.verdict === 'ABORTED'
        ? 'ATTEMPT_ABORTED'
        : 'ATTEMPT_COMMITTED';
  const outcome = outcomeOf(again);
  if (!('code' in outcome) || outcome.code !== expected)
    throw new Error(
      `"${call}" of ${attemptName(attempt)} on ${volume}, late, gets ${JSON.stringify(outcome)} instead of ${expected}`,
    );
}
