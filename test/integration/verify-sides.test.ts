// Verifying over real splitters, appliances and a replica site: what is the same, what differs and
// where, and what is lost on the way.
import { CancelledFailure } from '@temporalio/common';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AppliancePort, Ports, SplitterPort } from '../../control/ports.js';
import { verify } from '../../activities/verify.js';
import type { VerifyRun } from '../../activities/run.js';
import { VERIFY_REGION_BYTES, type VerifyHeartbeat } from '../../contracts/verify.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import {
  G1,
  refusal,
  type RunningAppliance,
  type RunningSite,
  S1,
  SiteWorld,
  SIZE_BYTES,
  until,
  V1,
} from './replica-site-fixture.js';
import { type RunningSplitter, splitterOn } from './splitter-on.js';
import { flipBit } from '../support/flip-bit.js';

const REGIONS = SIZE_BYTES / VERIFY_REGION_BYTES;
const QUICK = 1024 * 1024 * 1024;
/** Four regions in a quarter of a second. */
const SLOW = 1024 * 1024;
/** So slow that whoever compares is early, however busy the machine is. */
const SLOWEST = 1024;

let world: SiteWorld;
let site: RunningSite;
let appliance: RunningAppliance;
let splitter: RunningSplitter;
let guest: NbdClient;

beforeEach(async () => {
  world = new SiteWorld();
  site = await world.site();
  appliance = await world.appliance('a1');
  splitter = await splitterOn(world, appliance);
  guest = await splitter.guest();
  await guest.write(0, randomBytes(SIZE_BYTES));
  await quiet();
});
afterEach(async () => world.stop());

async function quiet(): Promise<void> {
  await until(async () => {
    const [split] = (await splitter.control.inventory({ volume: V1 })).volumes;
    const [stored] = (await site.control.volumes({ volume: V1 })).volumes;
    return split?.mode === 'SYNCED' && split.markedRegions === 0 && stored?.undistributedBytes === 0;
  }, 'the volume is quiet');
}

/** Pauses the group, and waits until the splitter keeps nothing but marks of what is written. */
async function fallToMarks(): Promise<void> {
  await appliance.control.pauseGroup({ group: G1 });
  await until(async () => {
    await guest.write(0, randomBytes(4_096));
    return (await splitter.control.inventory({ volume: V1 })).volumes[0]?.mode === 'MARKS_ONLY';
  }, 'the volume is known by marks only');
}

function ports(): Ports {
  const [entry] = world.estate.appliances;
  if (entry === undefined) throw new Error('the estate has an appliance');
  const port: AppliancePort = { id: entry.id, url: appliance.url, calls: appliance.control };
  const split: SplitterPort = { id: S1, calls: splitter.control };
  return { appliances: new Map([[entry.id, port]]), splitters: new Map([[S1, split]]) };
}

interface TestRun extends VerifyRun {
  readonly beats: VerifyHeartbeat[];
}

function runOf(options: { readonly signal?: AbortSignal; readonly earlier?: unknown } = {}): TestRun {
  const beats: VerifyHeartbeat[] = [];
  return {
    beats,
    id: 'run.1',
    earlier: undefined,
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: async (ms) => {
      await delay(ms, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => {
        throw options.signal?.reason;
      });
    },
    heartbeat: (details) => void beats.push(details),
    ...options,
  };
}

/**
 * Starts one that is throttled, and holds it in its first pause, with something compared, until
 * `goOn` is called. A machine too slow for the throttle would leave no time in between.
 */
async function underWay(options: Parameters<typeof runOf>[0] = {}) {
  const free = runOf(options);
  const gate = new AbortController();
  let isHeld = false;
  const run: TestRun = {
    ...free,
    sleep: async (ms) => {
      isHeld = true;
      const signals = [gate.signal, ...(options.signal === undefined ? [] : [options.signal])];
      const over = AbortSignal.any(signals);
      if (!over.aborted) await once(over, 'abort');
      if (options.signal?.aborted === true) throw options.signal.reason;
      await free.sleep(Math.min(ms, 1));
    },
  };
  const ended = verify(ports(), { volume: V1, bytesPerSecond: SLOWEST }, run);
  ended.catch(() => undefined);
  await until(() => isHeld, 'it pauses');
  expect(run.beats.at(-1)?.nextRegion).toBeGreaterThan(0);
  expect(run.beats.at(-1)?.nextRegion).toBeLessThan(REGIONS);
  return { run, ended, goOn: () => gate.abort() };
}

const sourcePath = (): string => join(world.folder, S1, 'volumes', `${V1}.img`);
const replicaPath = (): string => join(world.folder, 'site', 'volumes', V1, 'replica.img');

test('a volume that its guest writes all the while is the same as its replica, at one point', async () => {
  const enough = new AbortController();
  let writes = 0;
  const writer = (async () => {
    for (; !enough.signal.aborted; writes += 1) {
      const length = writes % 7 === 0 ? 200_000 : 4_096;
      await guest.write(Math.floor(Math.random() * (SIZE_BYTES - length)), randomBytes(length));
    }
  })();
  const report = await verify(ports(), { volume: V1, bytesPerSecond: 4 * SLOW }, runOf());
  enough.abort();
  await writer;
  expect(report).toMatchObject({ volume: V1, regions: REGIONS, mismatchedRegions: 0, mismatches: [] });
  expect(report.points).toMatchObject([{ session: 1, fromRegion: 0, toRegion: REGIONS }]);
  expect(writes).toBeGreaterThan(0);
});

test('a volume that was never written is the same as its replica', async () => {
  const [other] = (await splitter.control.inventory({})).volumes.filter(({ volume }) => volume !== V1);
  if (other === undefined) throw new Error('the splitter has another volume');
  const report = await verify(ports(), { volume: other.volume, bytesPerSecond: QUICK }, runOf());
  expect(report).toMatchObject({ mismatchedRegions: 0, points: [{ n: 0 }] });
});

test('a bit that flipped at the source is a mismatch of its region, and the replica is said to be as it was written', async () => {
  await flipBit(sourcePath(), 5 * VERIFY_REGION_BYTES + 77);
  await flipBit(sourcePath(), 6 * VERIFY_REGION_BYTES);
  const failure: unknown = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf()).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ type: 'VERIFY_MISMATCH', nonRetryable: true });
  expect(String(failure)).toMatch(/"v1".*2 of 16 regions: bytes 327680 to 458751\..*holds what was sent to it/);
  expect(failure).toHaveProperty('details.1', expect.objectContaining({ mismatchedRegions: 2 }));
  expect(failure).toHaveProperty('details.1.mismatches', [
    { offset: 5 * VERIFY_REGION_BYTES, length: 2 * VERIFY_REGION_BYTES, fault: 'differs' },
  ]);
});

test('a bit that flipped in the replica is a mismatch of its region, and fails the replica’s own checksum', async () => {
  await flipBit(replicaPath(), 3 * VERIFY_REGION_BYTES + 9_000);
  const failure: unknown = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf()).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ type: 'VERIFY_MISMATCH' });
  expect(String(failure)).toContain('its own checksum');
  expect(failure).toHaveProperty('details.1.mismatches', [
    { offset: 3 * VERIFY_REGION_BYTES, length: VERIFY_REGION_BYTES, fault: 'replica-checksum' },
  ]);
});

test('a region that can’t be read at the source is named, and the others are compared, once', async () => {
  // The guest keeps the file open: what was cut off can't be read.
  truncateSync(sourcePath(), SIZE_BYTES - VERIFY_REGION_BYTES);
  const failure: unknown = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf()).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ type: 'VERIFY_MISMATCH', nonRetryable: true });
  expect(String(failure)).toContain('could not be compared in 1 of 16 regions');
  expect(failure).toHaveProperty('details.1.mismatches', [
    { offset: SIZE_BYTES - VERIFY_REGION_BYTES, length: VERIFY_REGION_BYTES, fault: 'source-unreadable' },
  ]);
  expect(failure).toHaveProperty('details.1.points', [expect.objectContaining({ fromRegion: 0, toRegion: REGIONS })]);
});

test('the guest’s writes during a scan are not in it, and its digests stay when they are asked for again', async () => {
  const { control: calls } = splitter;
  const opened = await calls.openScan({ volume: V1, scan: 's', leaseMs: 10_000 });
  expect(await calls.openScan({ volume: V1, scan: 's', leaseMs: 10_000 })).toEqual(opened);
  const first = await calls.readScan({ scan: 's', from: 0, count: 4 });
  await guest.write(0, randomBytes(SIZE_BYTES));
  expect(await calls.readScan({ scan: 's', from: 0, count: 4 })).toEqual(first);
  const { image } = await appliance.control.openMarkImage({
    volume: V1,
    mark: opened.mark,
    waitMs: 5_000,
    client: 't',
    key: opened.key,
  });
  const all = { from: 0, count: REGIONS };
  expect(await calls.readScan({ scan: 's', ...all })).toEqual(await appliance.control.digestImage({ image, ...all }));
  await appliance.control.closeMarkImage({ image });
  expect(await refusal(appliance.control.digestImage({ image, ...all }))).toBe('IMAGE_NOT_FOUND');
});

test('a scan is one a volume, and is closed by itself when nobody reads it', async () => {
  const { control: calls } = splitter;
  await calls.openScan({ volume: V1, scan: 'first', leaseMs: 1_000 });
  expect(await refusal(calls.openScan({ volume: V1, scan: 'second', leaseMs: 1_000 }))).toBe('SCAN_BUSY');
  const second = { volume: V1, scan: 'second', leaseMs: 10_000 };
  await until(async () => (await refusal(calls.openScan(second))) === 'not refused', 'the lease of the first runs out');
  expect(await refusal(calls.readScan({ scan: 'first', from: 0, count: 1 }))).toBe('SCAN_NOT_FOUND');
  await calls.closeScan({ scan: 'second' });
  await calls.closeScan({ scan: 'second' });
});

test('a replica site that is started again in the middle costs a new common point, not the verification', async () => {
  const { run, ended, goOn } = await underWay();
  await site.stop();
  goOn();
  expect(await refusal(ended)).toBe('UNREACHABLE');
  site = await world.site();
  await quiet();
  const report = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf({ earlier: run.beats.at(-1) }));
  expect(report.mismatchedRegions).toBe(0);
  expect(report.points.map(({ toRegion }) => toRegion).at(-1)).toBe(REGIONS);
  expect(report.points).toHaveLength(2);
});

test('an image that is gone is replaced by one at a new common point, for the regions that are left', async () => {
  const { run, ended, goOn } = await underWay();
  const image = run.beats.at(-1)?.open?.image ?? '';
  await guest.write(0, randomBytes(SIZE_BYTES));
  await appliance.control.closeMarkImage({ image });
  goOn();
  const report = await ended;
  expect(report.mismatchedRegions).toBe(0);
  const [first, second] = report.points;
  expect(report.points).toHaveLength(2);
  expect(first?.fromRegion).toBe(0);
  expect(second).toMatchObject({ fromRegion: first?.toRegion, toRegion: REGIONS });
  expect(second?.n).toBeGreaterThan(first?.n ?? Infinity);
});

test('a splitter that is started again in the middle has no scan any more: the rest is compared at a new point', async () => {
  const { run, ended, goOn } = await underWay();
  await splitter.stop();
  goOn();
  await ended.catch(() => undefined);
  splitter = await splitterOn(world, appliance);
  guest = await splitter.guest();
  await quiet();
  const report = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf({ earlier: run.beats.at(-1) }));
  expect(report.mismatchedRegions).toBe(0);
  expect(report.points.map(({ session }) => session)).toEqual([1, 2]);
});

test('a run after a worker’s death goes on with the same scan where the last sign of life was', async () => {
  const over = new AbortController();
  const { run, ended } = await underWay({ signal: over.signal });
  over.abort(new CancelledFailure('WORKER_SHUTDOWN'));
  await expect(ended).rejects.toThrow('WORKER_SHUTDOWN');
  const earlier = run.beats.at(-1);
  const next = runOf({ earlier });
  const report = await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, next);
  expect(report.points).toHaveLength(1);
  expect(report.startedAtMs).toBe(earlier?.startedAtMs);
  expect(next.beats[0]?.nextRegion).toBe(earlier?.nextRegion);
});

test('cancelled, it ends at once and lets go of both sides', async () => {
  const over = new AbortController();
  const { run, ended } = await underWay({ signal: over.signal });
  const { open: held } = run.beats.at(-1) ?? {};
  over.abort(new CancelledFailure('CANCELLED'));
  await expect(ended).rejects.toThrow('CANCELLED');
  const one = { from: 0, count: 1 };
  expect(await refusal(splitter.control.readScan({ scan: held?.scan ?? '', ...one }))).toBe('SCAN_NOT_FOUND');
  expect(await refusal(appliance.control.digestImage({ image: held?.image ?? '', ...one }))).toBe('IMAGE_NOT_FOUND');
});

test('a volume that is known by marks only is not compared: a later try may', async () => {
  await fallToMarks();
  expect(await refusal(verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf()))).toBe('NOT_SYNCED');
  await appliance.control.resumeGroup({ group: G1 });
  await quiet();
  expect(await verify(ports(), { volume: V1, bytesPerSecond: QUICK }, runOf())).toMatchObject({ mismatchedRegions: 0 });
});

test('what was started before a fall to marks is finished: the point it is compared at stands', async () => {
  const { ended, goOn } = await underWay();
  await fallToMarks();
  await guest.write(0, randomBytes(SIZE_BYTES));
  goOn();
  expect(await ended).toMatchObject({ mismatchedRegions: 0, points: [{ fromRegion: 0, toRegion: REGIONS }] });
});
