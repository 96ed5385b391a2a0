// What the doctor says of what it finds: who holds it, what it keeps from whom, what is done.
import { describe, expect, test } from 'vitest';
import type { HeldAttempt, SplitterHold } from '../../activities/settle.js';
import { attemptRecordSchema, endpointSchema, ticketedAttemptSchema, type Verdict } from '../../contracts/attempt.js';
import { moveIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { type DeadOwner, residueOf } from '../../client/doctor/residue.js';
import { scheduleFindings } from '../../client/doctor/schedules.js';
import type { Schedule } from '../../client/schedules/schedules.js';

const MOVE = moveIdSchema.parse('move-1@run');
const V1 = volumeIdSchema.parse('vm-1');
const CLOSED = { state: 'closed', how: 'terminated' } as DeadOwner;
const UNKNOWN: DeadOwner = { state: 'unknown' };

function held(
  state: 'OPEN' | Verdict,
  { leaseMs = 0, isSealed = false, holds = [] as SplitterHold[] } = {},
): HeldAttempt {
  const record = attemptRecordSchema.parse({
    attempt: { move: MOVE, n: 2 },
    state,
    contents: {
      ticket: 7,
      volumes: [{ volume: V1, splitter: 'host-1', epoch: 3 }],
      from: 'gold',
      to: 'silver',
      openedAtMs: 1_000,
    },
    seals: [],
    ...(isSealed ? { left: { point: 'p1', atMs: 5, name: 'left', bookmarked: false } } : {}),
  });
  return { attempt: record.attempt, record, ...(state === 'OPEN' ? { leaseMs } : {}), holds };
}

function hold(kind: SplitterHold['kind'], backlogBytes = 0): SplitterHold {
  return {
    kind,
    splitter: splitterIdSchema.parse('host-1'),
    volume: V1,
    attempt: ticketedAttemptSchema.parse({ move: MOVE, n: 2, ticket: 7 }),
    epoch: 3,
    to: endpointSchema.parse({ group: 'silver', appliance: 'a2', url: 'http://a2.test' }),
    backlogBytes,
  };
}

describe('an attempt of a dead move', () => {
  test('holds its volumes, room and snapshot while its lease runs, and says for how long', () => {
    const found = residueOf(held('OPEN', { leaseMs: 42_000, isSealed: true }), CLOSED);
    expect(found.map(({ what, blocks }) => [what, blocks])).toEqual([
      ['open attempt 2: vm-1, gold → silver', 'Other moves of the volumes, for 42.0 s more.'],
      ['room for 1 volume in silver', 'Moves into silver when it is nearly full, for 42.0 s more.'],
      ['pinned snapshot p1 of gold', "Retention of gold: the snapshot's history is kept."],
    ]);
    for (const finding of found)
      expect(finding).toMatchObject({ heldBy: MOVE, owner: 'terminated', sinceMs: 1_000, isFixable: true });
  });

  test('is in nobody’s way once its lease has run out, and is found all the same', () => {
    expect(residueOf(held('OPEN'), CLOSED)).toMatchObject([
      { kind: 'open attempt', blocks: 'Nothing: its lease has run out.', isFixable: true },
    ]);
  });

  test('of a move that Temporal does not know is left until its lease has run out', () => {
    const holds = [hold('notice')];
    for (const finding of residueOf(held('OPEN', { leaseMs: 1, holds }), UNKNOWN))
      expect(finding).toMatchObject({ isFixable: false, owner: 'unknown' });
    for (const finding of residueOf(held('OPEN', { holds }), UNKNOWN)) expect(finding.isFixable).toBe(true);
    // A verdict that was given can only be obeyed, whoever owns the move.
    for (const finding of residueOf(held('COMMITTED', { holds }), UNKNOWN)) expect(finding.isFixable).toBe(true);
  });

  test('holds writes back by its fence; what is done follows from the verdict', () => {
    const holds = [hold('fence', 2_048)];
    expect(residueOf(held('COMMITTED', { holds }), CLOSED)).toMatchObject([
      {
        what: 'fence of vm-1 at host-1',
        blocks: 'Replication of vm-1: 2 KiB wait behind the fence.',
        action: 'Splitter host-1 is told that group silver owns the volume.',
      },
    ]);
    expect(residueOf(held('ABORTED', { holds }), CLOSED)).toMatchObject([
      { action: 'Splitter host-1 is told the verdict and lets go of it.' },
    ]);
  });

  test('that the replica site has lost is found where a splitter announces it', () => {
    const { attempt } = held('OPEN');
    const [finding, ...others] = residueOf({ attempt, holds: [hold('notice')] }, CLOSED);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ what: 'notice of vm-1 at host-1', blocks: 'Nothing: writes go where they went.' });
    expect(finding).not.toHaveProperty('sinceMs');
  });
});

describe('a schedule', () => {
  const schedule = (input: unknown, warnings: Schedule['warnings'] = []): Schedule =>
    ({ name: 'nightly', createdAtMs: 5, warnings, action: { input } }) as unknown as Schedule;
  const volumes = new Set(['vm-1']);

  test('that names a volume which is not there is found, each volume once', () => {
    const moves = [
      { volume: 'vm-1', to: 'silver' },
      { volume: 'vm-2', to: 'silver' },
      { volume: 'vm-2', to: 'gold' },
    ];
    expect(scheduleFindings(schedule({ moves }), volumes)).toMatchObject([
      {
        subject: 'nightly',
        what: 'schedule nightly: its input names volume "vm-2", which is not there',
        sinceMs: 5,
        isFixable: false,
        isResidue: true,
      },
    ]);
  });

  test('is found for what keeps its batches from running, not for its other warnings', () => {
    const warnings: Schedule['warnings'] = [
      { about: 'batch', message: 'its input would be refused: to: there is no group', adoptable: false },
      { about: 'timeZone', message: 'no time zone is set', adoptable: true },
    ];
    const select = { select: { from: 'gold' }, to: 'silver' };
    expect(scheduleFindings(schedule(select, warnings), volumes).map(({ what }) => what)).toEqual([
      'schedule nightly: its input would be refused: to: there is no group',
    ]);
    expect(scheduleFindings(schedule(select), volumes)).toEqual([]);
  });
});
