// What a move does to a splitter: the fence and its backlog, the verdict either way, leases, holds,
// and all of it across restarts.
import { existsSync, rmSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TicketedAttempt, Verdict } from '../../contracts/attempt.js';
import { HOLD_MS_MAX } from '../../contracts/splitter-api.js';
import {
  attempt,
  bound,
  describe,
  MIB,
  quiet,
  type Running,
  SIZE_BYTES,
  SplitterWorld,
  until,
  V1,
  V2,
} from './splitter-fixture.js';

const KIB = 1024;
const LEASE_MS = 60_000;
/** The splitter reads whole milliseconds of another clock than the test. */
const CLOCK_GRAIN_MS = 2;
let world: SplitterWorld;

beforeEach(async () => {
  world = await new SplitterWorld().start();
});
afterEach(async () => world.stop());

async function learn(splitter: Running, of: TicketedAttempt, verdict: Verdict): Promise<void> {
  if (verdict === 'COMMITTED') world.site.epochs.set(V1, 2);
  await splitter.control.learn({ attempt: of, verdict, volumes: [bound(1)], to: world.endpoint('g2') });
}

async function write(splitter: Running, blocks: readonly number[], value: number): Promise<void> {
  const guest = await splitter.open(V1);
  for (const block of blocks) await guest.write(block * 64 * KIB, Buffer.alloc(4 * KIB, value));
  await guest.disconnect();
}

async function expectReplicaIsSource(splitter: Running): Promise<void> {
  await quiet(splitter, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(world.source(V1))).toBe(true);
}

test.each(['COMMITTED', 'ABORTED'] as const)(
  'nothing beyond the cut is sent before the verdict; on %s the backlog follows in order to the right group',
  async (verdict) => {
    const splitter = await world.splitter();
    await write(splitter, [0, 1], 1);
    await world.notify(splitter, attempt(1));
    await write(splitter, [2], 2);
    const { cuts } = await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
    expect(cuts).toEqual([{ volume: V1, session: 1, n: 3 }]);
    await write(splitter, [3, 4, 0], 3);
    await until(() => world.site.records(V1).length === 3, 'everything up to the cut has arrived');
    expect(await describe(splitter, V1)).toMatchObject({
      last: { n: 6 },
      backlogBytes: 12 * KIB,
      fence: { cut: { n: 3 } },
    });
    expect(await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS })).toMatchObject({
      cuts: [{ n: 3 }],
    });

    await learn(splitter, attempt(1), verdict);
    await expectReplicaIsSource(splitter);
    const [appliance, epoch] = verdict === 'COMMITTED' ? ['a2', 2] : ['a1', 1];
    expect(
      world.site
        .records(V1)
        .slice(3)
        .map((record) => [record.n, record.appliance, record.epoch]),
    ).toEqual([4, 5, 6].map((n) => [n, appliance, epoch]));
    await learn(splitter, attempt(1), verdict);
    await expect(
      splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS }),
    ).rejects.toMatchObject({ code: `ATTEMPT_${verdict}` });
  },
);

test('the other volumes of the group go on as before while one is fenced, and are named with the cut', async () => {
  const splitter = await world.splitter();
  const other = await splitter.open(V2);
  await other.write(0, Buffer.alloc(512, 1));
  await world.notify(splitter, attempt(1));
  const { others } = await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  expect(others).toEqual([{ volume: V2, session: 1, n: 1 }]);
  await other.write(0, Buffer.alloc(512, 2));
  await quiet(splitter, V2);
  expect(world.site.records(V2)).toHaveLength(2);
});

test('the new appliance is reached, and a stream kept to it, from the notice to the verdict; without it the notice is not answered', async () => {
  const splitter = await world.splitter();
  await world.notify(splitter, attempt(1));
  expect(world.second.healthCalls).toBe(1);
  await until(() => world.second.streams === 1, 'a stream to the new appliance');
  await learn(splitter, attempt(1), 'ABORTED');
  await until(() => world.second.streams === 0, 'the stream is not kept without need');

  const { port } = world.second;
  await world.second.stop();
  await expect(world.notify(splitter, attempt(2))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await world.second.start(port);
  await world.notify(splitter, attempt(2));
});

test('after a committed move the old appliance is left when no volume needs it', async () => {
  const splitter = await world.splitter();
  await write(splitter, [0], 1);
  await world.notify(splitter, attempt(1), [bound(1), bound(1, V2)]);
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1, V2], leaseMs: LEASE_MS });
  await until(() => world.site.records(V1).length === 1, 'the cut has arrived');
  world.site.epochs.set(V1, 2).set(V2, 2);
  await splitter.control.learn({
    attempt: attempt(1),
    verdict: 'COMMITTED',
    volumes: [bound(1), bound(1, V2)],
    to: world.endpoint('g2'),
  });
  await until(() => world.first.streams === 0, 'the old appliance is left');
  await until(() => world.second.attached.size === 2, 'both are attached at the new one');
  expect((await describe(splitter, V2)).route).toMatchObject({ group: 'g2', epoch: 2 });
});

test('a backlog beyond memory spills to a file, which is gone when all of it is durable', async () => {
  const splitter = await world.splitter({ limits: { queueMaxBytes: 64 * KIB, spillMaxBytes: 4 * MIB } });
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  const guest = await splitter.open(V1);
  for (let block = 0; block < 64; block += 1) await guest.write(block * 16 * KIB, Buffer.alloc(16 * KIB, block + 1));
  expect(await describe(splitter, V1)).toMatchObject({ mode: 'SYNCED', backlogBytes: MIB });
  expect(existsSync(world.path(V1, 'spill'))).toBe(true);
  await learn(splitter, attempt(1), 'COMMITTED');
  await expectReplicaIsSource(splitter);
  expect(world.site.records(V1).map(({ type }) => type)).toEqual(Array.from({ length: 64 }, () => 'write'));
  expect(existsSync(world.path(V1, 'spill'))).toBe(false);
});

test('a backlog beyond memory and file falls to marks; after the verdict a short initialization brings the replica up', async () => {
  const splitter = await world.splitter({ limits: { queueMaxBytes: 32 * KIB, spillMaxBytes: 32 * KIB } });
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  await write(
    splitter,
    Array.from({ length: 40 }, (_, block) => block),
    7,
  );
  expect(await describe(splitter, V1)).toMatchObject({ mode: 'MARKS_ONLY' });
  await learn(splitter, attempt(1), 'COMMITTED');
  await expectReplicaIsSource(splitter);
  expect(world.site.records(V1).some((record) => record.type === 'initBegin' && record.reason === 'backlog full')).toBe(
    true,
  );
});

test('a spill file that can’t be read back costs its volume a new session, and nobody the process', async () => {
  const splitter = await world.splitter({ limits: { queueMaxBytes: 64 * KIB, spillMaxBytes: 4 * MIB } });
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  await write(splitter, [...Array(40).keys()], 1);
  truncateSync(world.path(V1, 'spill'), 0);
  await learn(splitter, attempt(1), 'COMMITTED');
  await expectReplicaIsSource(splitter);
  expect(await describe(splitter, V1)).toMatchObject({ last: { session: 2 }, route: { epoch: 2 } });
  expect(world.site.records(V1).find(({ type }) => type === 'initBegin')).toMatchObject({ reason: 'backlog lost' });
  expect(await describe(splitter, V2)).toMatchObject({ last: { session: 1 }, mode: 'SYNCED' });
  // The number is used up.
  await splitter.stop();
  expect(await describe(await world.splitter(), V2)).toMatchObject({ last: { session: 3 } });
});

test('when the lease runs out the splitter asks for the verdict, again and again, and delivers the backlog on it', async () => {
  const splitter = await world.splitter();
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: 1_000 });
  await splitter.control.renew({ attempt: attempt(1), leaseMs: 1_500 });
  await write(splitter, [0], 1);
  await until(
    () => world.first.resolveCalls > 1 && world.second.resolveCalls > 1,
    'both resolvers are asked more than once',
  );
  await expect(splitter.control.renew({ attempt: attempt(1), leaseMs: LEASE_MS })).rejects.toMatchObject({
    code: 'FENCE_LAPSED',
  });
  expect(world.site.records(V1)).toHaveLength(0);

  world.site.epochs.set(V1, 2);
  world.second.verdict = 'COMMITTED';
  await expectReplicaIsSource(splitter);
  expect(await describe(splitter, V1)).toMatchObject({ route: { group: 'g2', epoch: 2 } });
});

test('a notice of a newer attempt makes the splitter ask for the verdict of the older one at once', async () => {
  world.first.verdict = 'ABORTED';
  const splitter = await world.splitter();
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  await expect(world.notify(splitter, attempt(2))).rejects.toMatchObject({ code: 'PENDING_VERDICT' });
  await until(async () => (await describe(splitter, V1)).fence === undefined, 'the verdict is known');
  await world.notify(splitter, attempt(2));
});

test('a fence outlives kill -9: nothing is sent behind it, its cut is void, and the verdict is asked for when a newer attempt comes', async () => {
  const splitter = await world.splitterProcess();
  await write(splitter, [0], 1);
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  await write(splitter, [1], 2);
  await splitter.kill();

  const again = await world.splitterProcess();
  await until(() => world.first.attached.has(V1), 'it is attached again');
  await expect(again.control.renew({ attempt: attempt(1), leaseMs: LEASE_MS })).rejects.toMatchObject({
    code: 'CUT_VOID',
  });
  await write(again, [2], 3);
  expect(await describe(again, V1)).toMatchObject({ mode: 'MARKS_ONLY', fence: { cut: { session: 1, n: 1 } } });
  expect(world.site.records(V1)).toHaveLength(1);
  world.first.verdict = 'ABORTED';
  await expect(world.notify(again, attempt(2))).rejects.toMatchObject({ code: 'PENDING_VERDICT' });
  await expectReplicaIsSource(again);
  expect(world.first.resolveCalls).toBeGreaterThan(0);
});

test('a splitter that starts with a fence whose lease ran out meanwhile asks for the verdict at once', async () => {
  const splitter = await world.splitterProcess();
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: 1 });
  await splitter.kill();
  world.site.epochs.set(V1, 2);
  world.second.verdict = 'COMMITTED';
  const again = await world.splitter();
  await until(async () => (await describe(again, V1)).fence === undefined, 'the verdict is known');
  expect(await describe(again, V1)).toMatchObject({ route: { group: 'g2', epoch: 2 } });
});

test('while a cut is held, acknowledgements wait until it is confirmed; the writes themselves do not', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  // A round that lasted longer than a hold may, on a machine that stood still, shows nothing:
  // another one.
  for (let n = 1; ; n += 1) {
    const round = `r${n}`;
    const cutAtMs = performance.now();
    await splitter.control.cut({ round, group: world.endpoint('g1').group, holdMs: HOLD_MS_MAX });
    let isAcknowledged = false;
    const written = guest.write(0, Buffer.alloc(512, n)).then(() => (isAcknowledged = true));
    await until(async () => (await describe(splitter, V1)).last.n === n, 'the write is numbered');
    const wasAcknowledged = isAcknowledged;
    const { held } = await splitter.control.confirmCut({ round });
    await written;
    expect(await splitter.control.confirmCut({ round })).toEqual({ held });
    if (held) {
      expect(wasAcknowledged).toBe(false);
      return;
    }
    expect(performance.now() - cutAtMs).toBeGreaterThanOrEqual(HOLD_MS_MAX);
  }
});

test('a hold that nobody confirms ends by itself, and says so when it is asked later', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  await guest.write(0, Buffer.alloc(512, 1));
  const holdMs = 60;
  const cutAtMs = performance.now();
  await splitter.control.cut({ round: 'r1', group: world.endpoint('g1').group, holdMs });
  await guest.write(0, Buffer.alloc(512, 2));
  expect(performance.now() - cutAtMs).toBeGreaterThan(holdMs - CLOCK_GRAIN_MS);
  expect(await splitter.control.confirmCut({ round: 'r1' })).toEqual({ held: false });
});

test('a hold that is over without any write does not hold a later one', async () => {
  const splitter = await world.splitter();
  const guest = await splitter.open(V1);
  const holdMs = 20;
  await splitter.control.cut({ round: 'r1', group: world.endpoint('g1').group, holdMs });
  const cutAtMs = performance.now();
  await until(() => performance.now() - cutAtMs > holdMs + CLOCK_GRAIN_MS, 'the hold is over');
  await guest.write(0, Buffer.alloc(512, 2));
  expect(await splitter.control.confirmCut({ round: 'r1' })).toEqual({ held: false });
});

test('what was decided is remembered after a restart, and the route with it', async () => {
  const splitter = await world.splitter();
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  await learn(splitter, attempt(1), 'COMMITTED');
  await splitter.stop();
  const again = await world.splitter();
  expect(await describe(again, V1)).toMatchObject({ route: { group: 'g2', epoch: 2, url: world.second.url } });
  await expect(world.notify(again, attempt(1))).rejects.toMatchObject({ code: 'ATTEMPT_COMMITTED' });
  await write(again, [0], 1);
  await expectReplicaIsSource(again);
});

test('behind a fence a resync and a decision about the disk are refused, and go through after the verdict', async () => {
  const splitter = await world.splitter();
  await write(splitter, [0, 1], 1);
  await quiet(splitter, V1);
  await world.notify(splitter, attempt(1));
  await splitter.control.fence({ attempt: attempt(1), volumes: [V1], leaseMs: LEASE_MS });
  const busy = { code: 'VOLUME_BUSY', retryable: true };
  await expect(splitter.control.resync({ volume: V1 })).rejects.toMatchObject(busy);
  await expect(splitter.control.resync({ volume: V1, ranges: [{ offset: 0, length: MIB }] })).rejects.toMatchObject(
    busy,
  );
  expect(await describe(splitter, V1)).toMatchObject({ mode: 'SYNCED', markedRegions: 0 });
  await splitter.stop();
  rmSync(world.path(V1, 'img'));
  const again = await world.splitter();
  expect((await describe(again, V1)).source.state).toBe('missing');
  await expect(again.control.decideSource({ volume: V1, decision: 'accept-blank' })).rejects.toMatchObject(busy);
  await learn(again, attempt(1), 'ABORTED');
  await again.control.decideSource({ volume: V1, decision: 'accept-blank' });
  await until(async () => (await describe(again, V1)).source.state === 'present', 'it is decided');
  await again.control.resync({ volume: V1, ranges: [{ offset: 0, length: SIZE_BYTES }] });
  await quiet(again, V1);
  expect(world.site.imageOf(V1, SIZE_BYTES).equals(Buffer.alloc(SIZE_BYTES))).toBe(true);
});
