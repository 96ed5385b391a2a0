// The witness of a run can tell a wrong answer: each check fails once here.
import { expect, test } from 'vitest';
import { attemptRecordSchema, ticketedAttemptSchema, type TicketedAttempt } from '../../contracts/attempt.js';
import { splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { Witness } from './witness.js';
import { LIFE } from '../support/identities.js';

const V1 = volumeIdSchema.parse('v1');
const S1 = splitterIdSchema.parse('s1');

function attemptOf(ticket: number): TicketedAttempt {
  return ticketedAttemptSchema.parse({ move: `m${ticket}`, n: 1, ticket });
}

function recordOf(fields: object): ReturnType<typeof attemptRecordSchema.parse> {
  const contents = {
    ticket: 1,
    volumes: [{ volume: V1, splitter: S1, epoch: 1 }],
    from: 'g1',
    to: 'g2',
    openedAtMs: 0,
  };
  return attemptRecordSchema.parse({ attempt: { move: 'm1', n: 1 }, state: 'OPEN', contents, seals: [], ...fields });
}

function fence(witness: Witness, n: number, nowMs = 0): void {
  const input = splitterApi.fence.input.parse({ attempt: attemptOf(1), volumes: [V1], leaseMs: 1_000, holdMs: 250 });
  const answer = splitterApi.fence.output.parse({
    cuts: [{ volume: V1, session: 1, n }],
    others: [],
    life: LIFE,
    atMs: 5,
  });
  witness.fenced(S1, 'life', input, answer, nowMs, nowMs);
}

test('a call of an older attempt is not to be taken after one of a newer', () => {
  const witness = new Witness();
  witness.took('notify', [V1], attemptOf(2));
  witness.took('fence', [V1], attemptOf(2));
  expect(witness.broken).toBeUndefined();
  witness.took('notify', [V1], attemptOf(1));
  expect(witness.broken).toContain('ticket 1');
});

test('no call of an attempt is to be taken after its verdict was learned, even if it was never seen before', () => {
  const witness = new Witness();
  witness.learned([V1], attemptOf(3), 'ABORTED');
  witness.took('notify', [V1], attemptOf(3));
  expect(witness.broken).toContain('the verdict on 3');
});

test('a splitter that came back older may take a call again', () => {
  const witness = new Witness();
  witness.learned([V1], attemptOf(3), 'ABORTED');
  witness.splitterForgot(S1, [V1]);
  witness.took('notify', [V1], attemptOf(3));
  expect(witness.broken).toBeUndefined();
});

test('a repeated fence has the cut of the first', () => {
  const witness = new Witness();
  fence(witness, 7);
  fence(witness, 7);
  expect(witness.broken).toBeUndefined();
  fence(witness, 8);
  expect(witness.broken).toContain('the cut');
});

test.each([
  ['in time', 'life', 249, true, undefined],
  ['too late', 'life', 250, true, '250 ms after'],
  ['in another life', 'next life', 10, true, 'counts as held'],
  ['too late, and says so', 'life', 900, false, undefined],
] as const)('a hold that is confirmed %s', (_when, life, atMs, held, broken) => {
  const witness = new Witness();
  fence(witness, 7);
  witness.confirmed('s1 m1#1', life, held, atMs);
  if (broken === undefined) expect(witness.broken).toBeUndefined();
  else expect(witness.broken).toContain(broken);
});

test('a repeated confirmation has the answer of the first', () => {
  const witness = new Witness();
  fence(witness, 7);
  witness.confirmed('s1 m1#1', 'life', true, 10);
  witness.confirmed('s1 m1#1', 'life', true, 900);
  expect(witness.broken).toBeUndefined();
  witness.confirmed('s1 m1#1', 'life', false, 901);
  expect(witness.broken).toContain('was true, and later false');
});

test('a verdict is for ever', () => {
  const witness = new Witness();
  witness.saw(recordOf({}));
  witness.saw(recordOf({ state: 'ABORTED', decidedAtMs: 3 }));
  expect(witness.broken).toBeUndefined();
  witness.saw(recordOf({ state: 'OPEN' }));
  expect(witness.broken).toContain('m1#1 was ABORTED at 3');
});

test('a splitter learns the verdict that the replica site gave', () => {
  const witness = new Witness();
  witness.saw(recordOf({ state: 'ABORTED', decidedAtMs: 3 }));
  witness.learned([V1], attemptOf(1), 'COMMITTED');
  expect(witness.broken).toContain('learned COMMITTED');
});

test('a hold that another life is asked for never counts as held', () => {
  const witness = new Witness();
  witness.raised('s1 r1', 'life', 250, 0);
  witness.confirmed('s1 r1', 'life', true, 10, 'life');
  witness.confirmed('s1 r1', 'life', false, 20, 'former life');
  expect(witness.broken).toBeUndefined();
  witness.confirmed('s1 r1', 'life', true, 30, 'former life');
  expect(witness.broken).toContain('of another life');
});

test('no renewal reaches beyond the deadline', () => {
  const witness = new Witness();
  const { contents } = recordOf({});
  const leased = (untilMs: number) => recordOf({ contents: { ...contents, lease: { life: 1, untilMs, ms: 500 } } });
  witness.opened(leased(500), 2_000, 0);
  witness.saw(leased(2_000));
  expect(witness.broken).toBeUndefined();
  witness.saw(leased(2_001));
  expect(witness.broken).toContain('beyond its deadline');
});
