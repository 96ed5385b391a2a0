// The lease of a fence: measured by the monotonic clock of the splitter's life, and run again in
// full from the start of another.
import { expect, test } from 'vitest';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  volumeIdSchema,
} from '../../contracts/ids.js';
import type { Estate } from '../../contracts/estate.js';
import type { Moment } from '../../control/clock/clock.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Marks } from '../../simulator/splitter/core/marks.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit, type VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';
import { volumeRows } from '../../simulator/splitter/volume-rows.js';
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';
import { ESTATE, S1, V1 } from './site-core-fixture.js';

const SIZE_BYTES = 1024 * 1024;
const LEASE_MS = 1_000;
const WALL_MS = Date.UTC(2026, 10, 28);
const DAY_MS = 86_400_000;
const attempt = { move: moveIdSchema.parse('m1'), n: 1, ticket: 1 };
const endpoint = (group: string) => ({
  group: groupIdSchema.parse(group),
  appliance: applianceIdSchema.parse('a1'),
  url: 'http://127.0.0.1:1',
});

/** A life of a splitter with one volume. */
function live(row: VolumeSplitRow, session: number, beganAtMs: number): SplitterCore {
  const split = new VolumeSplit({
    row,
    splitter: splitterIdSchema.parse('s1'),
    session,
    life: LIFE,
    marks: new Marks(SIZE_BYTES),
    budget: new MemoryBudget(SIZE_BYTES),
    spill: NO_SPILL,
    queueMaxBytes: SIZE_BYTES,
    nowMs: WALL_MS,
    beganAtMs,
    startReason: 'test',
  });
  split.attached({ n: 0, lineage: LINEAGE, base: 0 });
  return new SplitterCore({
    splitter: splitterIdSchema.parse('s1'),
    life: LIFE,
    volumes: [split],
    store: () => undefined,
  });
}

function fenced(now: Moment): SplitterCore {
  const core = live(
    { volume: V1, sizeBytes: SIZE_BYTES, route: { ...endpoint('g1'), epoch: 1 }, source: SOURCE, proven: true },
    1,
    0,
  );
  const bound = { volume: V1, splitter: S1, epoch: 1 };
  core.notify({
    attempt,
    volumes: [bound],
    from: endpoint('g1'),
    to: endpoint('g2'),
    resolvers: ['http://127.0.0.1:1'],
  });
  core.fence({ attempt, volumes: [V1], leaseMs: LEASE_MS, holdMs: 0 }, now);
  return core;
}

test('a fence lapses by the monotonic clock, wherever the wall clock goes', () => {
  const core = fenced({ monotonicMs: 500, wallMs: WALL_MS });
  expect(core.tick(500 + LEASE_MS - 1)).toEqual([]);
  expect(core.renew({ attempt, leaseMs: LEASE_MS }, 600)).toEqual({ leaseMs: LEASE_MS });
  expect(core.tick(600 + LEASE_MS - 1)).toEqual([]);
  expect(core.tick(600 + LEASE_MS)).toHaveLength(1);
});

test('a cut has the wall time of its instant, with the doubt about it, also when the call is repeated', () => {
  const doubt = { process: 'splitter s1', jumpMs: 31 * DAY_MS, sinceMs: WALL_MS, jumps: 1 };
  const core = fenced({ monotonicMs: 500, wallMs: WALL_MS + 31 * DAY_MS, doubt });
  const again = core.fence(
    { attempt, volumes: [V1], leaseMs: LEASE_MS, holdMs: 0 },
    { monotonicMs: 900, wallMs: WALL_MS },
  );
  expect(again).toMatchObject({ atMs: WALL_MS + 31 * DAY_MS, doubt });
  const round = core.cut(
    { round: 'r1', group: groupIdSchema.parse('g1'), holdMs: 0 },
    { monotonicMs: 1, wallMs: 7, doubt },
  );
  expect(round).toMatchObject({ atMs: 7, doubt });
});

test('in another life the lease runs anew, in full, from its start: the instant of the earlier one means nothing', () => {
  const before = fenced({ monotonicMs: 9_000_000, wallMs: WALL_MS });
  const after = live(before.volume(V1).row, 2, 40);
  expect(after.tick(40 + LEASE_MS - 1)).toEqual([]);
  expect(after.tick(40 + LEASE_MS)).toHaveLength(1);
});

test('a fence of an earlier version, whose lease was an instant of a wall clock, is read and runs for as long as one does by default', () => {
  const { lease: _lease, ...fence } = fenced({ monotonicMs: 1, wallMs: WALL_MS }).volume(V1).row.fence ?? ({} as never);
  const row = {
    ...fenced({ monotonicMs: 1, wallMs: WALL_MS }).volume(V1).row,
    fence: { ...fence, leaseExpiresAtMs: WALL_MS },
  };
  const stored: unknown = JSON.parse(JSON.stringify(row));
  const estate: Estate = ESTATE;
  const { rows } = volumeRows(estate, S1, new Map([[volumeIdSchema.parse('v1'), stored]]));
  const [read] = rows;
  if (read === undefined) throw new Error('no row');
  const core = live(read, 2, 10);
  expect(core.tick(10 + 59_999)).toEqual([]);
  expect(core.tick(10 + 60_000)).toHaveLength(1);
});

test('a new session in the same life, with the fence still up, does not move the end of its lease', () => {
  const core = fenced({ monotonicMs: 9_000_000, wallMs: WALL_MS });
  core.volume(V1).renumber(2);
  expect(core.tick(9_000_000 + LEASE_MS - 1)).toEqual([]);
  expect(core.tick(9_000_000 + LEASE_MS)).toHaveLength(1);
});

test('in another life a repeated fence has its old cut, and a hold that is never confirmed: writes were acknowledged since', () => {
  const before = fenced({ monotonicMs: 1, wallMs: WALL_MS });
  const after = live(before.volume(V1).row, 2, 40);
  const again = after.fence(
    { attempt, volumes: [V1], leaseMs: LEASE_MS, holdMs: 250 },
    { monotonicMs: 50, wallMs: WALL_MS },
  );
  expect(again.cuts).toEqual([{ volume: V1, session: 1, n: 0 }]);
  expect(after.holds.isHeld(V1)).toBe(false);
  expect(after.confirm({ attempt }, 60)).toEqual({ held: false });
});
