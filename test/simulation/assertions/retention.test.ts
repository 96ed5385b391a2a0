// The words of the retention policy, as checks of what a round dropped: each fails once here.
import { expect, test } from 'vitest';
import { attemptRefSchema } from '../../../contracts/attempt.js';
import { groupIdSchema } from '../../../contracts/ids.js';
import { recoveryPointSchema } from '../../../contracts/point.js';
import { retentionPolicySchema } from '../../../contracts/retention.js';
import { pointIdOf, type PointRow } from '../../../simulator/replica-site/core/rows.js';
import { checkDropped, checkRound, type GroupLook } from './retention.js';

const HOUR_MS = 3_600_000;
const G1 = groupIdSchema.parse('g1');
const POLICY = retentionPolicySchema.parse({
  keepAllMs: HOUR_MS,
  hourlyMs: 4 * HOUR_MS,
  dailyMs: 4 * HOUR_MS,
  weeklyMs: 4 * HOUR_MS,
});
/** Half past a full hour. */
const NOW_MS = 100.5 * HOUR_MS;

/** A point of an age, in hours. */
function point(number: number, hours: number, fields: object = {}, row: Partial<PointRow> = {}): PointRow {
  const ageMs = NOW_MS - hours * HOUR_MS;
  return {
    point: recoveryPointSchema.parse({
      id: pointIdOf(number),
      group: G1,
      kind: 'periodic',
      atMs: ageMs,
      order: number,
      clock: { life: 1, monotonicMs: 0, wallMs: ageMs, ageMs },
      members: [],
      leftOut: [],
      ...fields,
    }),
    provisionalMarks: {},
    ...row,
  };
}

function look(rows: readonly PointRow[], fields: Partial<GroupLook> = {}): GroupLook {
  return {
    group: G1,
    rows,
    policy: POLICY,
    ageMs: NOW_MS,
    inUse: new Set(),
    waysBack: [],
    droppedForRoom: 0,
    ...fields,
  };
}

const bookmark = (keep: unknown): object => ({ bookmark: { name: 'kept', pending: false, keep } });
const newest = point(9, 0);
const LOCK = { untilMs: NOW_MS + 1, operator: 'kim', reason: 'an audit' };

test('an old point may go', () => {
  expect(checkDropped(look([point(1, 9), newest]), look([newest]))).toBe(1);
});

test.each([
  ['is young', point(1, 0.5), {}, 'the policy keeps it'],
  ['a move needs', point(1, 9, {}, { pinnedBy: attemptRefSchema.parse({ move: 'm1', n: 1 }) }), {}, 'm1 needs it'],
  ['is open', point(1, 9), { inUse: new Set([pointIdOf(1)]) }, 'an image of it is open'],
  ['is kept for ever', point(1, 9, bookmark('forever')), {}, 'kept for ever'],
  [
    'is locked',
    point(1, 9, { bookmark: { name: 'kept', pending: false, keep: 'policy', lock: LOCK } }),
    {},
    'locked until',
  ],
  ['is promised', point(1, 9, bookmark({ untilMs: NOW_MS + 1 })), {}, 'promised until'],
  ['has a bookmark by policy', point(1, 3, bookmark('policy')), {}, 'the policy keeps it'],
])('a point that %s may not', (_which, row, fields, why) => {
  expect(() => checkDropped(look([row, newest], fields), look([newest], fields))).toThrow(why);
});

test('the newest point may not go, however old it is', () => {
  expect(() => checkDropped(look([point(1, 9)]), look([]))).toThrow('it is the newest');
});

test('room is made from the oldest on', () => {
  const rows = [point(1, 0.4), point(2, 0.3), newest];
  expect(checkDropped(look(rows), look(rows.slice(1), { droppedForRoom: 1 }))).toBe(1);
  expect(() => checkDropped(look(rows), look([point(1, 0.4), newest], { droppedForRoom: 1 }))).toThrow(
    'before the older p000000001',
  );
});

test('a round leaves nothing that no rule keeps', () => {
  const rows = [point(1, 4.1), newest];
  expect(() => checkRound(look(rows), look(rows))).toThrow('nothing keeps it');
  const promised = [point(1, 9, bookmark({ untilMs: NOW_MS - 1 })), newest];
  expect(() => checkRound(look(promised), look(promised))).toThrow('nothing keeps it');
});

test('a round leaves one point of each hour', () => {
  const [first, second] = [point(1, 2.4), point(2, 2.1)];
  expect(() => checkRound(look([first, second, newest]), look([first, newest]))).not.toThrow();
  expect(() => checkRound(look([first, second, newest]), look([first, second, newest]))).toThrow('for one hour');
  expect(() => checkRound(look([first, second, newest]), look([newest]))).toThrow('is left of the hour');
});
