// The recovery points that an appliance closes: whom it asks, when, and what it does when somebody
// does not answer.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listNbdExports } from '../../nbd/client.js';
import type { GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import { FakeSplitterControl } from '../support/fake-splitter-control.js';
import {
  attemptRef,
  G1,
  G2,
  refusal,
  type RunningAppliance,
  S1,
  S2,
  SiteWorld,
  until,
  V1,
  V2,
  V3,
} from './replica-site-fixture.js';
import { block, TestSplitter } from './test-splitter.js';

let world: SiteWorld;

beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

interface Host {
  readonly control: FakeSplitterControl;
  readonly stream: TestSplitter;
}

async function host(
  appliance: RunningAppliance,
  splitter: SplitterId,
  volumes: readonly VolumeId[],
  group: GroupId = G1,
): Promise<Host> {
  const control = await new FakeSplitterControl(splitter).start();
  world.onStop(async () => control.stop());
  const stream = await TestSplitter.connect(appliance.url, splitter, control.url);
  for (const [i, volume] of volumes.entries()) {
    expect(await stream.attach(i + 1, volume)).toMatchObject({ type: 'attached' });
    control.members.set(volume, { group, n: 0 });
  }
  return { control, stream };
}

const closed = async (appliance: RunningAppliance, group = G1) => appliance.control.closePoint({ group });

test('one splitter is asked once and holds nothing', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const { control, stream } = await host(appliance, S1, [V1, V2]);
  stream.write(1, 1, 0, block(1));
  control.members.set(V1, { group: G1, n: 1 });
  const point = await closed(appliance);
  expect(point.members).toMatchObject([
    { volume: V1, position: 1 },
    { volume: V2, position: 0 },
  ]);
  expect(point.leftOut).toEqual([{ volume: V3, reason: 'unreachable' }]);
  expect(control.asked).toMatchObject([{ group: G1, holdMs: 0 }]);
  expect(control.confirmed).toEqual([]);
});

test('several splitters all hold and confirm, and the point has the time of the last cut', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const first = await host(appliance, S1, [V1, V2]);
  const second = await host(appliance, S2, [V3]);
  first.control.atMs = 5_000_000;
  second.control.atMs = 5_000_007;
  const point = await closed(appliance);
  expect(point.members.map((member) => member.volume)).toEqual([V1, V2, V3]);
  expect(point.atMs).toBe(5_000_007);
  for (const { control } of [first, second]) {
    expect(control.asked).toMatchObject([{ holdMs: 250 }]);
    expect(control.confirmed).toEqual(control.asked.map((asked) => asked.round));
  }
});

test('without every hold there is no point: it is skipped and counted, and the other splitter is released', async () => {
  await world.site();
  const appliance = await world.appliance('a1');
  const first = await host(appliance, S1, [V1, V2]);
  const second = await host(appliance, S2, [V3]);
  second.control.holds = false;
  expect(await refusal(closed(appliance))).toBe('CUT_VOID');
  second.control.holds = true;
  second.control.answers = false;
  expect(await refusal(closed(appliance))).toBe('SHUTTING_DOWN');
  await until(() => first.control.confirmed.length === 2, 'the first splitter was released');
  const { groups } = await appliance.control.groups({});
  expect(groups).toMatchObject([{ group: G1, pointsSkipped: 2, splitters: [S1, S2], state: 'ACTIVE' }]);
  expect((await appliance.control.listPoints({ group: G1 })).points).toEqual([]);
  second.control.answers = true;
  expect((await closed(appliance)).members).toHaveLength(3);
});

test('a point is closed as often as the estate says, of live groups only', async () => {
  await world.stop();
  world = new SiteWorld(100);
  const site = await world.site();
  const appliance = await world.appliance('a1');
  await world.appliance('a2');
  await host(appliance, S1, [V1, V2]);
  await until(async () => (await site.control.listPoints({ group: G1 })).points.length >= 5, 'five points');
  expect((await site.control.listPoints({ group: G2 })).points).toEqual([]);
  const { points } = await site.control.listPoints({ group: G1 });
  expect(points.every((point, i) => i === 0 || point.atMs > (points[i - 1]?.atMs ?? 0))).toBe(true);
});

test('after a restart the appliance asks whoever has attached a member again', async () => {
  await world.site();
  let appliance = await world.appliance('a1');
  await host(appliance, S1, [V1, V2]);
  await appliance.stop();
  appliance = await world.appliance('a1');
  expect(await refusal(closed(appliance))).toBe('UNREACHABLE');
  expect((await appliance.control.groups({})).groups).toMatchObject([{ state: 'DISCONNECTED', splitters: [] }]);
  const { control } = await host(appliance, S2, [V3]);
  const point = await closed(appliance);
  expect(point.members.map((member) => member.volume)).toEqual([V3]);
  expect(point.leftOut.map((entry) => entry.reason)).toEqual(['unreachable', 'unreachable']);
  expect(control.asked).toHaveLength(1);
});

test('steps of a move are taken at the appliance that serves the group, and the join needs a point with the volume', async () => {
  await world.site();
  const a1 = await world.appliance('a1');
  const a2 = await world.appliance('a2');
  const { control, stream } = await host(a1, S1, [V1, V2]);
  stream.write(1, 1, 0, block(1));
  await stream.confirmed(1, 1);
  control.members.set(V1, { group: G1, n: 1 });
  const attempt = attemptRef(1);
  const cuts = [{ volume: V1, session: 1, n: 1 }];
  await a2.control.open({
    attempt,
    volumes: [{ volume: V1, splitter: S1, epoch: 1 }],
    from: G1,
    to: G2,
    leaseMs: 60_000,
    deadlineAfterMs: 600_000,
  });
  expect(await refusal(a2.control.drain({ attempt, cuts }))).toBe('NOT_OWNER');
  expect(await refusal(a2.control.seal({ attempt, cuts, atMs: 1 }))).toBe('NOT_OWNER');
  expect(await refusal(a2.control.bookmark({ attempt }))).toBe('NOT_OWNER');
  expect(await refusal(a1.control.adopt({ attempt }))).toBe('NOT_OWNER');
  await until(async () => (await a1.control.drain({ attempt, cuts })).drained, 'drained');
  await a1.control.seal({ attempt, cuts, atMs: 1 });
  await a1.control.bookmark({ attempt });
  expect(await refusal(a2.control.join({ attempt }))).toBe('NOT_COMMITTED');
  await a2.control.adopt({ attempt });
  expect(await refusal(a1.control.join({ attempt }))).toBe('NOT_OWNER');
  // The volume has not attached here yet.
  expect((await a2.control.join({ attempt })).joined).toBeUndefined();

  stream.detach(1);
  control.members.set(V1, { group: G2, n: 1 });
  const moved = await TestSplitter.connect(a2.url, S1, control.url);
  await moved.attach(1, V1, { epoch: 2, group: G2 });
  control.leftOut = [{ volume: V1, reason: 'marks-only' }];
  control.members.delete(V1);
  expect((await a2.control.join({ attempt })).joined).toBeUndefined();
  expect((await a2.control.listPoints({ group: G2 })).points).toEqual([]);
  control.leftOut = [];
  control.members.set(V1, { group: G2, n: 1 });
  const joined = await a2.control.join({ attempt });
  expect(joined.joined).toBeDefined();
  expect((await a2.control.join({ attempt })).joined).toEqual(joined.joined);

  const rest = await closed(a1);
  expect(rest.members.map((member) => member.volume)).toEqual([V2]);
  expect(rest.leftOut).toEqual([{ volume: V3, reason: 'unreachable' }]);
  expect((await a2.control.groups({})).groups).toMatchObject([
    { group: G2, volumes: 1, state: 'ACTIVE', splitters: [S1] },
  ]);
});

test('a group whose last volume left is not waited for any more', async () => {
  await world.site();
  const a1 = await world.appliance('a1');
  const a2 = await world.appliance('a2');
  const { stream, control } = await host(a1, S2, [V3]);
  const attempt = attemptRef(1);
  const cuts = [{ volume: V3, session: 1, n: 0 }];
  await a1.control.open({
    attempt,
    volumes: [{ volume: V3, splitter: S2, epoch: 1 }],
    from: G1,
    to: G2,
    leaseMs: 60_000,
    deadlineAfterMs: 600_000,
  });
  await a1.control.seal({ attempt, cuts, atMs: 1 });
  await a1.control.bookmark({ attempt });
  await a2.control.adopt({ attempt });
  expect(await listNbdExports(a1.nbd)).toHaveLength(3);
  stream.detach(1);
  control.members.delete(V3);
  await until(async () => (await listNbdExports(a1.nbd)).length === 2, 'the volume is no member any more');
  const { groups } = await a1.control.groups({});
  expect(groups).toMatchObject([{ volumes: 2, splitters: [] }]);
});
