// The move back of a committed move: what it moves, and when there is none.
import { describe, expect, test } from 'vitest';
import { wayBackId, wayBackOf } from '../../client/moves/way-back.js';
import { moveIdSchema } from '../../contracts/ids.js';
import type { MoveReport } from '../../contracts/move.js';

const moveId = moveIdSchema.parse('move-a@0190e4a0-0000-7000-8000-000000000001');
const place = (group: string) => ({ group, appliance: 'a1', url: 'http://a1.test' });
const reportOf = (...volumes: string[]): MoveReport =>
  ({
    from: place('gold'),
    to: place('silver'),
    volumes: volumes.map((volume) => ({ volume })),
  }) as unknown as MoveReport;

test('takes the volumes to where they came from, if they are where the move put them', () => {
  expect(wayBackOf({ moveId, state: 'moved', report: reportOf('v1') })).toEqual({
    volume: 'v1',
    from: 'silver',
    to: 'gold',
  });
  expect(wayBackOf({ moveId, state: 'moved', report: reportOf('v1', 'v2') })).toMatchObject({ volumes: ['v1', 'v2'] });
});

test('a move that was done, but failed its verification, has one too', () => {
  expect(wayBackOf({ moveId, state: 'failed', report: reportOf('v1') })).toMatchObject({ to: 'gold' });
});

describe('is refused in a sentence', () => {
  test.each([
    ['running', /still runs.*volume-mover abort move-a@/],
    ['cancelled', /has moved nothing \(cancelled\)/],
    ['failed', /has moved nothing \(failed\)/],
  ] as const)('for a move that is %s without a report', (state, says) => {
    expect(() => wayBackOf({ moveId, state })).toThrow(says);
  });
});

test('has one workflow id for each move, also of a workflow id that is used again', () => {
  expect(wayBackId(moveId)).toBe('reverse-0190e4a0-0000-7000-8000-000000000001');
  expect(wayBackId('move-a')).toBe('reverse-move-a');
});
