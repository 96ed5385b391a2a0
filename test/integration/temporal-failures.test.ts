// What a move does on the real Temporal server when a step fails: tries again, rolls back, or goes
// forward, and says so.
import { afterEach, describe, expect, test } from 'vitest';
import { ERRORS, MoverError, problemSchema, type ErrorCode } from '../../contracts/errors.js';
import { MOVE_STEPS, moveProgressSchema } from '../../contracts/move.js';
import type { AppliancePort, SplitterPort } from '../../control/ports.js';
import { activitiesOf, failureOf, Moves, runsOf, summariesOf } from './support/moves.js';
import { PATIENCE_MS } from '../support/until.js';

let moves: Moves;
afterEach(async () => moves.stop());

const UNREACHABLE = new MoverError('UNREACHABLE', 'The line is dead.');

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

interface Failing {
  readonly step: string;
  readonly operation: keyof AppliancePort['calls'] | keyof SplitterPort['calls'];
  readonly code: ErrorCode;
  readonly scheduled: readonly string[];
}

describe('a step that fails for good is compensated, and the failure says in a sentence how things stand', () => {
  const table: readonly Failing[] = [
    { step: '1/5 (notify)', operation: 'open', code: 'GROUP_FULL', scheduled: ['notify', 'resolveAttempt'] },
    {
      step: '1/5 (notify)',
      operation: 'notify',
      code: 'EPOCH_MISMATCH',
      scheduled: ['notify', 'resolveAttempt', 'learnVerdict'],
    },
    {
      step: '2/5 (flush)',
      operation: 'fence',
      code: 'EPOCH_MISMATCH',
      scheduled: ['notify', 'flush', 'resolveAttempt', 'learnVerdict'],
    },
    {
      step: '3/5 (snapshot)',
      operation: 'seal',
      code: 'CORRUPT',
      scheduled: [...MOVE_STEPS.slice(0, 3), 'resolveAttempt', 'learnVerdict'],
    },
    {
      step: '4/5 (bookmark)',
      operation: 'bookmark',
      code: 'CORRUPT',
      scheduled: [...MOVE_STEPS.slice(0, 4), 'resolveAttempt', 'learnVerdict'],
    },
    {
      step: '5/5 (reconfigure)',
      operation: 'adopt',
      code: 'EPOCH_MISMATCH',
      scheduled: [...MOVE_STEPS, 'resolveAttempt', 'learnVerdict'],
    },
  ];
  test.each(table)('$operation refused with $code', async ({ step, operation, code, scheduled }) => {
    moves = await Moves.start();
    moves.live.faults.fail(operation, new MoverError(code, 'It was refused for this test.'), 1);
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    const failure = await failureOf(handle);
    expect(failure.type).toBe(code);
    expect(failure.message).toMatch(
      new RegExp(
        `^The move of s0v0 to group "g2" failed at step ${escaped(step)}: It was refused for this test\\. Everything is as it was before: .*\\. ${escaped(ERRORS[code].action)}$`,
      ),
    );
    const [{ progress, problem }] = failure.details as [{ progress: unknown; problem: unknown }];
    expect(moveProgressSchema.parse(progress)).toMatchObject({ stage: 'failed', verdict: 'ABORTED' });
    expect(problemSchema.parse(problem)).toMatchObject({ code, retryable: false, detail: failure.message });
    expect(await activitiesOf(handle)).toEqual(scheduled);
    expect((await summariesOf(handle)).filter((summary) => summary.startsWith('undo:'))).toHaveLength(
      scheduled.length - scheduled.indexOf('resolveAttempt'),
    );
    expect(moves.live.groupOf('s0v0')).toBe('g1');
    expect(moves.live.epochOf('s0v0')).toBe(1);
    await moves.live.checkPromises();
  });
});

test('a move that the plan refuses fails at once with every reason', async () => {
  moves = await Moves.start();
  const failure = await failureOf(await moves.move({ volumes: ['s0v0', 'no-such-volume'], to: 'no-such-group' }));
  expect(failure.type).toBe('MOVE_REFUSED');
  expect(failure.message).toContain(
    'there is no volume "no-such-volume"; there is no consistency group "no-such-group"',
  );
  const [{ problem }] = failure.details as [{ problem: unknown }];
  expect(problemSchema.parse(problem).reasons?.map(({ code }) => code)).toEqual([
    'VOLUME_NOT_FOUND',
    'GROUP_NOT_FOUND',
  ]);
});

describe('a failure that passes is tried again inside its step: still five activities', () => {
  test.each([
    { operation: 'open', at: 0 },
    { operation: 'notify', at: 0 },
    { operation: 'fence', at: 1 },
    { operation: 'seal', at: 2 },
    { operation: 'bookmark', at: 3 },
    { operation: 'adopt', at: 4 },
    { operation: 'learn', at: 4 },
    { operation: 'join', at: 4 },
  ] as const)('$operation unreachable twice', async ({ operation, at }) => {
    moves = await Moves.start();
    moves.live.faults.fail(operation, UNREACHABLE, 2);
    const handle = await moves.move({ volume: 's0v0', to: 'g2' });
    expect(await handle.result()).toMatchObject({ completedForward: false, abortedAttempts: [] });
    expect(await activitiesOf(handle)).toEqual(MOVE_STEPS);
    expect((await runsOf(handle)).map(({ attempt }) => attempt)).toEqual(MOVE_STEPS.map((_, i) => (i === at ? 3 : 1)));
    await moves.live.checkPromises();
  });
});

test('a replica site that does not tell its next ticket at once is asked by an activity, before the first step', async () => {
  moves = await Moves.start();
  // More than the tries that are made at once, each at every appliance.
  moves.live.faults.fail('ticketFloor', UNREACHABLE, 10);
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  expect(await handle.result()).toMatchObject({ completedForward: false, abortedAttempts: [] });
  expect(await activitiesOf(handle)).toEqual(['ticketFloor', ...MOVE_STEPS]);
  await moves.live.checkPromises();
});

test('an error that nobody foresaw is tried again as INTERNAL', async () => {
  moves = await Moves.start();
  moves.live.faults.next('seal', 1, async () => Promise.reject(new TypeError('x is not a function')));
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  await handle.result();
  expect((await runsOf(handle)).map(({ attempt }) => attempt)).toEqual([1, 1, 2, 1, 1]);
});

test('a lost answer of the commit changes nothing: the step finds it committed', async () => {
  moves = await Moves.start();
  moves.live.faults.next('adopt', 1, async (call) => {
    await call();
    throw UNREACHABLE;
  });
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  expect(await handle.result()).toMatchObject({ completedForward: false });
  expect(moves.live.epochOf('s0v0')).toBe(2);
  await moves.live.checkPromises();
});

test('a failure for good after the commit is completed forward', async () => {
  moves = await Moves.start();
  moves.live.faults.fail('learn', new MoverError('CORRUPT', 'It was refused for this test.'), 1);
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  expect(await handle.result()).toMatchObject({ completedForward: true, attempt: { n: 1 } });
  expect(await activitiesOf(handle)).toEqual([...MOVE_STEPS, 'resolveAttempt', 'reconfigure']);
  expect((await summariesOf(handle)).at(-1)).toBe('finish: 5/5 reconfigure s0v0');
  await moves.live.checkPromises();
});

test('a void cut is rolled back and tried again as the next attempt, which the timeline shows', async () => {
  moves = await Moves.start();
  moves.live.faults.fail('seal', new MoverError('CUT_VOID', 'The cut is void for this test.'), 1);
  const handle = await moves.move({ volume: 's0v0', to: 'g2' });
  expect(await handle.result()).toMatchObject({
    attempt: { n: 2 },
    abortedAttempts: [{ n: 1, reason: 'The cut is void for this test.' }],
  });
  expect(await activitiesOf(handle)).toEqual([
    ...MOVE_STEPS.slice(0, 3),
    'resolveAttempt',
    'learnVerdict',
    ...MOVE_STEPS,
  ]);
  expect((await summariesOf(handle)).at(-1)).toBe('5/5 reconfigure s0v0 (attempt 2)');
  await moves.live.checkPromises();
});

test('a fence that lapses during the drain is rolled back and tried again', async () => {
  moves = await Moves.start();
  const drain = moves.live.faults.hold('drain', 'before');
  const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { leaseMs: 3_000 } });
  await drain.reached;
  // The splitter asks for the verdict by itself; once it has it, it holds no fence any more.
  await expect
    .poll(() => moves.live.world.hostOf('s0v0' as never).core?.volume('s0v0' as never).row.fence, {
      timeout: PATIENCE_MS,
    })
    .toBeUndefined();
  drain.release();
  expect(await handle.result()).toMatchObject({ attempt: { n: 2 }, abortedAttempts: [{ n: 1 }] });
  await moves.live.checkPromises();
});

test('attempts end with the last one allowed', async () => {
  moves = await Moves.start();
  moves.live.faults.fail('seal', new MoverError('CUT_VOID', 'The cut is void for this test.'), 5);
  const handle = await moves.move({ volume: 's0v0', to: 'g2', options: { attemptsMax: 2 } });
  const failure = await failureOf(handle);
  expect(failure.type).toBe('CUT_VOID');
  expect(failure.message).toContain('failed at step 3/5 (snapshot), attempt 2');
  await moves.live.checkPromises();
});

test('a move that is tried again after its commit is not disturbed by the next move of the volume', async () => {
  moves = await Moves.start();
  const { faults, world } = moves.live;
  const join = faults.hold('join', 'before');
  const first = await moves.move({ volume: 's0v0', to: 'g2' });
  await join.reached;
  // A backlog behind the second fence that falls to marks would keep the volume out of every point.
  world.guestRuns = false;
  const drain = faults.hold('drain', 'before');
  const second = await moves.move({ volume: 's0v0', to: 'g3' });
  await drain.reached;
  // The first move's last step begins again: its splitter knows the second move's attempt by now.
  faults.fail('inventory', UNREACHABLE, 1);
  faults.next('join', 1, async () => Promise.reject(UNREACHABLE));
  join.release();
  expect(await first.result()).toMatchObject({ attempt: { n: 1 }, to: { group: 'g2' } });
  expect((await runsOf(first)).at(-1)?.attempt).toBeGreaterThan(1);
  drain.release();
  await second.result();
  expect(moves.live.groupOf('s0v0')).toBe('g3');
  await moves.live.checkPromises();
});
