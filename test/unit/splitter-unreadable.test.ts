// Regions that the source can't read: which are passed over, which are named, and what clears them.
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';
import { beforeEach, expect, test } from 'vitest';
import { estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Marks, REGION_BYTES, UNREADABLE_REGIONS_MAX } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { volumeRows } from '../../simulator/splitter/volume-rows.js';

const V1 = volumeIdSchema.parse('v1');
/** The last region is short. */
const SIZE_BYTES = 3 * REGION_BYTES + 100;
const NOW = 0;
let split: VolumeSplit;

beforeEach(() => {
  split = new VolumeSplit({
    row: {
      volume: V1,
      sizeBytes: SIZE_BYTES,
      route: {
        group: groupIdSchema.parse('g1'),
        appliance: applianceIdSchema.parse('a1'),
        url: 'http://a1.test',
        epoch: 1,
      },
      source: SOURCE,
      proven: true,
    },
    splitter: splitterIdSchema.parse('s1'),
    session: 1,
    life: LIFE,
    marks: new Marks(SIZE_BYTES, Uint8Array.of(0b1111)),
    budget: new MemoryBudget(SIZE_BYTES * 20),
    spill: NO_SPILL,
    queueMaxBytes: SIZE_BYTES * 20,
    nowMs: NOW,
    beganAtMs: 0,
    startReason: 'splitter restarted',
  });
  split.attached({ n: 0, lineage: LINEAGE, base: 0 });
  split.initialize(NOW);
});

/**
 * Sends what can be sent.
 * @returns regions in their order
 */
function resendAll(unreadable: readonly number[]): number[] {
  const tried: number[] = [];
  for (let range = split.nextResend(); range !== undefined; range = split.nextResend()) {
    tried.push(range.region);
    if (unreadable.includes(range.region)) split.passOver(range.region, 'EIO, v1.img');
    else split.resent(range.region, { kind: 'zeroes' }, NOW);
  }
  return tried;
}

function write(offset: number, length: number): void {
  split.begin(offset, length);
  split.complete({ kind: 'write', offset, length, data: Buffer.alloc(length) }, NOW);
}

test('each is tried once and passed over until its time, the others are sent, and the volume stays out of points', () => {
  expect(resendAll([0, 3])).toEqual([0, 1, 2, 3]);
  expect(split.finishInitialization(NOW)).toBe(false);
  expect(split.standing()).toEqual({ volume: V1, reason: 'initializing' });
  expect(split.describe().unreadable).toEqual({
    regions: 2,
    ranges: [
      { offset: 0, length: REGION_BYTES },
      { offset: 3 * REGION_BYTES, length: 100 },
    ],
  });
  expect(split.notes.join()).toContain(`bytes 0 to ${REGION_BYTES - 1}, ${3 * REGION_BYTES} to ${SIZE_BYTES - 1}`);
  split.marks.retryUnreadable(1);
  // The region is named until it is known to be readable.
  expect(split.describe().unreadable?.regions).toBe(2);
  expect(resendAll([])).toEqual([0]);
  split.marks.retryUnreadable(Infinity);
  expect(resendAll([])).toEqual([3]);
  expect(split.finishInitialization(NOW)).toBe(true);
  expect(split.notes).toEqual([]);
});

test('a numbered write over a whole region heals it; one over a part does not', () => {
  resendAll([0, 1, 3]);
  write(0, REGION_BYTES - 1);
  write(1, REGION_BYTES - 1);
  expect([...split.marks.unreadable]).toEqual([0, 1, 3]);
  expect(split.nextResend()).toBeUndefined();
  write(100, 2 * REGION_BYTES);
  expect([...split.marks.unreadable]).toEqual([0, 3]);
  write(0, SIZE_BYTES);
  expect(split.marks.unreadable.size).toBe(0);
  expect(split.finishInitialization(NOW)).toBe(true);
  split.receipt(split.lastN);
  split.marks.clearSettled();
  expect(split.marks.marked).toBe(0);
});

test('a write over a whole region that is kept by its mark only is a reason to read it again', () => {
  resendAll([1]);
  split.pause(NOW);
  write(REGION_BYTES, REGION_BYTES);
  split.resume();
  expect(split.marks.unreadable.has(1)).toBe(true);
  expect(resendAll([])).toEqual([1]);
});

test('a disk that fails everywhere is named in bounds, and each region comes to be tried again', () => {
  const regions = UNREADABLE_REGIONS_MAX + 10;
  const marks = new Marks(regions * REGION_BYTES, new Uint8Array(Math.ceil(regions / 8)).fill(0xff));
  for (let n = 0; n < regions; n += 1) marks.passOver(marks.nextDirty() ?? -1);
  expect(marks.unreadable.size).toBe(UNREADABLE_REGIONS_MAX);
  expect(marks.dirty).toBe(regions);
  const rest = new Set<number>();
  for (let n = 0; n < 20; n += 1) {
    const region = marks.nextDirty() ?? -1;
    rest.add(region);
    marks.passOver(region);
  }
  expect(rest.size).toBe(10);
});

test('a volume whose group’s appliance has no known address is left out, and says what to give', () => {
  const free = { port: 0 };
  const estate = estateSchema.parse({
    replicaSite: { control: free },
    appliances: [
      { id: 'a1', control: free, nbd: free },
      { id: 'a2', control: { port: 9_000 }, nbd: free },
    ],
    splitters: [
      {
        id: 's1',
        control: free,
        nbd: free,
        volumes: [
          { id: 'v1', sizeMiB: 1, group: 'g1' },
          { id: 'v2', sizeMiB: 1, group: 'g2' },
        ],
      },
    ],
    groups: [
      { id: 'g1', appliance: 'a1' },
      { id: 'g2', appliance: 'a2' },
    ],
    worker: { health: free },
  });
  const { rows, unusable } = volumeRows(estate, splitterIdSchema.parse('s1'), new Map());
  expect(rows.map(({ volume }) => volume)).toEqual(['v2']);
  expect(unusable).toEqual([
    { volume: 'v1', reason: expect.stringMatching(/group "g1" has no known address.*port/) as string },
  ]);
});
