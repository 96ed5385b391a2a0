// The splitter's control calls when its store fails, and verdicts that each volume learns for
// itself.
import { beforeEach, expect, test } from 'vitest';
import type { Endpoint, TicketedAttempt } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  volumeIdSchema,
} from '../../contracts/ids.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Marks } from '../../simulator/splitter/core/marks.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';
import { VolumeSplit, type VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';

const SPLITTER = splitterIdSchema.parse('s1');
const [V1, V2] = [volumeIdSchema.parse('v1'), volumeIdSchema.parse('v2')];
const GOLD = endpoint('gold', 'a1');
const SILVER = endpoint('silver', 'a2');
const BRONZE = endpoint('bronze', 'a2');
const SIZE_BYTES = 1024 * 1024;
const LEASE_MS = 1_000;

function endpoint(group: string, appliance: string): Endpoint {
  return {
    group: groupIdSchema.parse(group),
    appliance: applianceIdSchema.parse(appliance),
    url: `http://${appliance}.test`,
  };
}

function attempt(ticket: number): TicketedAttempt {
  return { move: moveIdSchema.parse(`move-${ticket}`), n: 1, ticket };
}

const bound = (volume: typeof V1, epoch = 1) => ({ volume, splitter: SPLITTER, epoch });

let failing = false;
let stored: VolumeSplitRow[] = [];
let core: SplitterCore;
beforeEach(() => {
  failing = false;
  stored = [];
  const budget = new MemoryBudget(SIZE_BYTES);
  core = new SplitterCore({
    splitter: SPLITTER,
    life: LIFE,
    volumes: [V1, V2].map(
      (volume) =>
        new VolumeSplit({
          row: { volume, sizeBytes: SIZE_BYTES, route: { ...GOLD, epoch: 1 }, source: SOURCE, proven: true },
          splitter: SPLITTER,
          session: 1,
          life: LIFE,
          marks: new Marks(SIZE_BYTES),
          budget,
          spill: NO_SPILL,
          queueMaxBytes: SIZE_BYTES,
          nowMs: 0,
          beganAtMs: 0,
          startReason: 'splitter restarted',
        }),
    ),
    store: (rows) => {
      if (failing) throw new MoverError('STORAGE_FULL', 'no room');
      stored.push(...rows);
    },
  });
  for (const split of core.volumes) split.attached({ n: 0, lineage: LINEAGE, base: 0 });
});

const notify = (ticket: number, volumes = [V1, V2], to = SILVER) =>
  core.notify({ attempt: attempt(ticket), volumes: volumes.map((v) => bound(v)), from: GOLD, to, resolvers: [to.url] });
const fence = (ticket: number, volumes = [V1, V2]) =>
  core.fence({ attempt: attempt(ticket), volumes, leaseMs: LEASE_MS, holdMs: 100 }, { monotonicMs: 0, wallMs: 0 });
const learn = (ticket: number, verdict: 'COMMITTED' | 'ABORTED', volumes = [V1, V2]) =>
  core.learn({ attempt: attempt(ticket), verdict, volumes: volumes.map((v) => bound(v)), to: SILVER }, 0);
const NO_ROOM: unknown = expect.objectContaining({ code: 'STORAGE_FULL' });

test('a notice, a fence and a verdict that could not be stored were never taken, and go through later', () => {
  failing = true;
  expect(() => notify(1)).toThrow(NO_ROOM);
  expect(core.volume(V1).row.notice).toBeUndefined();
  failing = false;
  notify(1);

  failing = true;
  expect(() => fence(1)).toThrow(NO_ROOM);
  expect(core.volume(V1).row.fence).toBeUndefined();
  expect(core.holds.isHeld(V1)).toBe(false);
  failing = false;
  expect(fence(1).cuts).toHaveLength(2);

  failing = true;
  expect(() => learn(1, 'COMMITTED')).toThrow(NO_ROOM);
  expect(core.volume(V1).row.route).toEqual({ ...GOLD, epoch: 1 });
  expect(core.volume(V1).connected).toBe(true);
  expect(() => core.tick(LEASE_MS)).toThrow(NO_ROOM);
  failing = false;
  expect(learn(1, 'COMMITTED').learned).toHaveLength(2);
  expect(core.volume(V1).row.route).toEqual({ ...SILVER, epoch: 2 });
  expect(core.volume(V1).connected).toBe(false);
  expect(stored.at(-1)?.route.epoch).toBe(2);
});

test('a volume that knows a newer attempt keeps no other from learning its verdict', () => {
  notify(1);
  fence(1, [V1]);
  notify(2, [V2], BRONZE);
  expect(() => learn(1, 'ABORTED')).toThrow(expect.objectContaining({ code: 'STALE_ATTEMPT' }));
  expect(core.volume(V1).row).toMatchObject({ decided: { attempt: { ticket: 1 }, verdict: 'ABORTED' } });
  expect(core.volume(V1).row.fence).toBeUndefined();
  expect(core.volume(V1).row.notice).toBeUndefined();
  expect(core.volume(V2).row.notice?.attempt.ticket).toBe(2);
});

test('a volume that is not here keeps no other from learning', () => {
  notify(1, [V1]);
  const gone = volumeIdSchema.parse('gone');
  expect(() => learn(1, 'ABORTED', [gone, V1])).toThrow(expect.objectContaining({ code: 'VOLUME_NOT_FOUND' }));
  expect(core.volume(V1).row.notice).toBeUndefined();
});

test('a fence is lifted by its own verdict, also when that of a newer attempt was learned first', () => {
  notify(1);
  fence(1);
  learn(2, 'ABORTED');
  expect(core.volume(V1).row).toMatchObject({ fence: { attempt: { ticket: 1 } }, decided: { attempt: { ticket: 2 } } });
  learn(1, 'COMMITTED');
  expect(core.volume(V1).row.fence).toBeUndefined();
  expect(core.volume(V1).row).toMatchObject({ route: { ...SILVER, epoch: 2 }, decided: { attempt: { ticket: 2 } } });
  expect(() => notify(1)).toThrow(expect.objectContaining({ code: 'STALE_ATTEMPT' }));
});

test('the site’s word about the owner counts if its epoch is later, and never while a fence awaits its verdict', () => {
  core.reroute(V1, { ...SILVER, epoch: 3 });
  expect(core.volume(V1).row.route).toMatchObject({ group: SILVER.group, epoch: 3 });
  for (const epoch of [2, 3]) core.reroute(V1, { ...BRONZE, epoch });
  expect(core.volume(V1).row.route).toMatchObject({ group: SILVER.group, epoch: 3 });

  notify(1, [V2]);
  fence(1, [V2]);
  core.reroute(V2, { ...BRONZE, epoch: 5 });
  expect(core.volume(V2).row.route).toMatchObject({ group: GOLD.group, epoch: 1 });
});

// ---- what is over, and what the replica site has forgotten ----

const over = (volume = V1): number => core.volume(volume).claim().over;
const inCut = (): unknown => core.cut({ round: 'r', group: GOLD.group, holdMs: 0 }, { monotonicMs: 0, wallMs: 0 }).cuts;
const STALE: unknown = expect.objectContaining({ code: 'STALE_ATTEMPT' });

test('what is over is told with each cut and claim, once a verdict is known', () => {
  notify(3);
  expect(over()).toBe(0);
  learn(3, 'ABORTED', [V1]);
  expect(over()).toBe(3);
  expect(inCut()).toEqual([
    { volume: V1, session: 1, n: 0, over: 3 },
    { volume: V2, session: 1, n: 0 },
  ]);
});

test('a fence that awaits its verdict is not over, though a newer attempt is', () => {
  notify(1);
  fence(1);
  learn(2, 'ABORTED');
  expect(over()).toBe(0);
  learn(1, 'COMMITTED');
  expect(over()).toBe(2);
});

test('a fence of an attempt that the replica site has forgotten is lifted, and stays down', () => {
  notify(4);
  fence(4);
  const [pending] = core.tick(LEASE_MS);
  if (pending === undefined) throw new Error('nothing is asked');
  core.learnPending(pending, 'FORGOTTEN', 0);
  const { row } = core.volume(V1);
  expect(row).toEqual({
    volume: V1,
    sizeBytes: SIZE_BYTES,
    route: { ...GOLD, epoch: 1 },
    source: SOURCE,
    proven: true,
    forgotten: 4,
  });
  expect(stored.at(-1)).toEqual({ ...row, volume: V2 });
  expect([over(), core.volume(V1).claim().ticket]).toEqual([4, 4]);
  for (const late of [3, 4]) {
    expect(() => notify(late)).toThrow(STALE);
    expect(() => fence(late)).toThrow(STALE);
    expect(() => learn(late, 'ABORTED')).toThrow(STALE);
  }
  expect(core.volume(V1).row).toBe(row);
  notify(5);
  expect(fence(5).cuts).toHaveLength(2);
});

test('a notice of a forgotten attempt is withdrawn, and that of another one stays', () => {
  notify(1, [V1]);
  notify(2, [V2]);
  for (const pending of core.announced())
    if (pending.attempt.ticket === 1) core.learnPending({ ...pending, volumes: [V1, V2] }, 'FORGOTTEN', 0);
  expect([core.volume(V1).row.notice, core.volume(V2).row.notice?.attempt.ticket]).toEqual([undefined, 2]);
  expect([over(V1), over(V2)]).toEqual([1, 0]);
});
