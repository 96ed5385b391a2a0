// What an appliance decides: states, rounds, when points are due, what the link lets pass, whom a
// group consists of.
import { describe, expect, test } from 'vitest';
import { groupIdSchema, pointIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { accessIdSchema } from '../../contracts/images.js';
import { accessExportName, parseExportName } from '../../simulator/appliance/core/export-name.js';
import { groupState } from '../../simulator/appliance/core/group-state.js';
import { Membership } from '../../simulator/appliance/core/membership.js';
import { BytesInFlight } from '../../simulator/appliance/core/bytes-in-flight.js';
import { groupCut, holdMsFor } from '../../simulator/appliance/core/point-round.js';
import { PointSchedule } from '../../simulator/appliance/core/point-schedule.js';
import { TokenBucket } from '../../simulator/appliance/core/token-bucket.js';
import { LIFE } from '../support/identities.js';

const G1 = groupIdSchema.parse('g1');
const G2 = groupIdSchema.parse('g2');
const [V1, V2, V3] = ['v1', 'v2', 'v3'].map((id) => volumeIdSchema.parse(id)) as [Volume, Volume, Volume];
type Volume = ReturnType<typeof volumeIdSchema.parse>;

test('a group is paused, disconnected, initializing or active, in this order', () => {
  const active = { paused: false, siteReachable: true, members: 2, attached: 1, initializing: 0 };
  expect(groupState(active)).toBe('ACTIVE');
  expect(groupState({ ...active, members: 0, attached: 0 })).toBe('ACTIVE');
  expect(groupState({ ...active, initializing: 1 })).toBe('INITIALIZING');
  expect(groupState({ ...active, initializing: 1, attached: 0 })).toBe('DISCONNECTED');
  expect(groupState({ ...active, siteReachable: false })).toBe('DISCONNECTED');
  expect(groupState({ ...active, siteReachable: false, paused: true })).toBe('PAUSED');
});

test('one splitter holds nothing, several do; members nobody has attached are unreachable', () => {
  expect([holdMsFor(1), holdMsFor(2)]).toEqual([0, 250]);
  const answers = [
    { cuts: [{ volume: V1, session: 1, n: 4 }], leftOut: [], life: LIFE, atMs: 7 },
    { cuts: [], leftOut: [{ volume: V2, reason: 'marks-only' as const }], life: LIFE, atMs: 9 },
  ];
  expect(groupCut(answers, [V1, V2, V3], () => false, 1)).toEqual({
    cuts: answers[0]?.cuts,
    leftOut: [
      { volume: V2, reason: 'marks-only' },
      { volume: V3, reason: 'unreachable' },
    ],
    atMs: 9,
  });
  expect(groupCut(answers, [V3], () => true, 1).leftOut).toHaveLength(1);
});

test('a cut is as doubtful as the first splitter that doubts its clock says; without answers it is of now', () => {
  const answer = { cuts: [], leftOut: [], life: LIFE, atMs: 7 };
  const doubts = [1, 2].map((jumps) => ({ process: `splitter s${jumps}`, jumpMs: 9, sinceMs: 3, jumps }));
  const doubtful = doubts.map((doubt) => ({ ...answer, doubt }));
  expect(groupCut([answer, ...doubtful], [], () => true, 1)).toEqual({
    cuts: [],
    leftOut: [],
    atMs: 7,
    doubt: doubts[0],
  });
  expect(groupCut([answer], [], () => true, 1)).not.toHaveProperty('doubt');
  expect(groupCut([], [], () => true, 5).atMs).toBe(5);
});

describe('the schedule', () => {
  test('names a group once until its round is done, and does not make up for what it missed', () => {
    const schedule = new PointSchedule([{ group: G1, everyMs: 100 }], 0);
    expect(schedule.take(99)).toEqual([]);
    expect(schedule.take(100)).toEqual([G1]);
    expect(schedule.take(500)).toEqual([]);
    expect(schedule.nextDueMs()).toBeUndefined();
    schedule.done(G1, 530);
    expect(schedule.nextDueMs()).toBe(600);
  });

  test('spreads the first points of groups with the same interval', () => {
    const schedule = new PointSchedule(
      [G1, G2].map((group) => ({ group, everyMs: 100 })),
      0,
    );
    expect([schedule.take(50), schedule.take(100)]).toEqual([[G1], [G2]]);
  });
});

describe('the token bucket', () => {
  test('lets a second’s bytes pass in a second, whatever the size of the frames', () => {
    for (const frameBytes of [100, 5_000, 40_000]) {
      const bucket = new TokenBucket(10_000, 0);
      let sentBytes = 0;
      for (let nowMs = 0; nowMs < 60_000; nowMs += bucket.waitMs(nowMs) || 1) {
        if (bucket.waitMs(nowMs) > 0) continue;
        bucket.spend(frameBytes, nowMs);
        sentBytes += frameBytes;
      }
      expect(Math.abs(sentBytes - 600_000)).toBeLessThanOrEqual(frameBytes + 1_000);
    }
  });

  test('does not save up while nothing is sent', () => {
    const bucket = new TokenBucket(10_000, 0);
    bucket.spend(600, 1_000_000);
    expect(bucket.waitMs(1_000_000)).toBe(10);
  });
});

test('the bytes in flight are exact once all have arrived, and never too little', () => {
  const inFlight = new BytesInFlight();
  let sent = 0;
  for (let n = 1; n <= 100; n += 1) {
    inFlight.sent(n, 4_096);
    sent += 4_096;
  }
  expect(inFlight.bytes).toBe(sent);
  inFlight.confirmed(50);
  expect(inFlight.bytes).toBeGreaterThanOrEqual(50 * 4_096);
  expect(inFlight.bytes).toBeLessThanOrEqual(50 * 4_096 + 70_000);
  inFlight.confirmed(100);
  expect(inFlight.bytes).toBe(0);
});

describe('membership', () => {
  test('the newest epoch wins, whatever comes in later', () => {
    const members = new Membership();
    members.learn({ volume: V1, group: G2, epoch: 2 });
    members.learn({ volume: V1, group: G1, epoch: 1 });
    expect(members.ownerOf(V1)).toMatchObject({ group: G2, epoch: 2 });
    expect([...members.membersOf(G1)]).toEqual([]);
  });

  test('a retired volume is a member of no group', () => {
    const members = new Membership();
    members.learn({ volume: V1, group: G1, epoch: 1 });
    members.learn({ volume: V1, group: G1, epoch: 1, retired: { atMs: 1 } });
    expect([...members.membersOf(G1)]).toEqual([]);
    expect(members.ownerOf(V1)).toBeUndefined();
  });

  test('a point tells who is a member and who is none any more, and names those that nothing is known of', () => {
    const members = new Membership();
    members.learnGroup(
      G1,
      [V1, V2].map((volume) => ({ volume, group: G1, epoch: 1 })),
    );
    const unknown = members.learnPoint({
      id: pointIdSchema.parse('p1'),
      group: G1,
      kind: 'periodic',
      atMs: 0,
      members: [{ volume: V1, position: 1, epoch: 1 }],
      leftOut: [
        { volume: V2, reason: 'moved' },
        { volume: V3, reason: 'not-in-cut' },
      ],
    });
    expect([...members.membersOf(G1)]).toEqual([V1]);
    expect(unknown).toEqual([V3]);
  });
});

const NOW_MS = Date.UTC(2026, 10, 28);

test('export names are a volume with a point, a time or the newest', () => {
  expect(parseExportName('v1@latest', NOW_MS)).toEqual({ volume: V1, writable: false, kind: 'latest' });
  expect(parseExportName('v1@p000000012', NOW_MS)).toEqual({
    volume: V1,
    writable: false,
    kind: 'point',
    point: 'p000000012',
  });
  expect(parseExportName('v1@2026-11-23T10:00:00Z', NOW_MS)).toEqual({
    volume: V1,
    writable: false,
    kind: 'time',
    atMs: Date.UTC(2026, 10, 23, 10),
  });
  expect(parseExportName('v1@2026-11-23T10:00:00', NOW_MS)).toEqual({
    volume: V1,
    writable: false,
    kind: 'time',
    atMs: Date.UTC(2026, 10, 23, 10),
  });
  expect(parseExportName('v1@2026-11-23T12:00:00+02:00', NOW_MS)).toMatchObject({ atMs: Date.UTC(2026, 10, 23, 10) });
  expect(parseExportName('v1@2026-11-23', NOW_MS)).toMatchObject({ atMs: Date.UTC(2026, 10, 23) });
  expect(parseExportName('v1@-2h', NOW_MS)).toMatchObject({ kind: 'time', atMs: NOW_MS - 7_200_000 });
  const noTimes = ['v1@2026-02-30', 'v1@2026-11-29', 'v1@1795428000', 'v1@2026-11-23T24:00:00Z'];
  for (const name of ['', 'v1', 'v1@', '@latest', 'v1@a@b', 'v 1@latest', '../v1@latest', ...noTimes])
    expect(parseExportName(name, NOW_MS)).toBeUndefined();
});

test('export names with "+rw" are writable, also after a time with a zone', () => {
  expect(parseExportName('v1@p000000012+rw', NOW_MS)).toMatchObject({
    kind: 'point',
    point: 'p000000012',
    writable: true,
  });
  expect(parseExportName('v1@latest+rw', NOW_MS)).toMatchObject({ kind: 'latest', writable: true });
  expect(parseExportName('v1@2026-11-23T12:00:00+02:00+rw', NOW_MS)).toMatchObject({
    atMs: Date.UTC(2026, 10, 23, 10),
    writable: true,
  });
  for (const name of ['v1+rw', 'v1@+rw', 'v1@latest+rw+rw', 'v1@latest+ro']) {
    expect(parseExportName(name, NOW_MS)).toBeUndefined();
  }
});

test('the exports of an image access are named after it and the volume', () => {
  const access = accessIdSchema.parse('drill-7');
  const name = accessExportName(access, V1);
  expect(name).toBe('access-drill-7/v1');
  expect(parseExportName(name, NOW_MS)).toEqual({ kind: 'access', access, volume: V1 });
  for (const wrong of ['access-/v1', 'access-a/', 'access-a/b/c', 'access-a', 'access-../v1', 'access-a/v1+rw'])
    expect(parseExportName(wrong, NOW_MS)).toBeUndefined();
});
