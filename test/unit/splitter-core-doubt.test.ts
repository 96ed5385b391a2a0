// A splitter's reaction to the replica site's answer: what it compares, and what it changes before
// it attaches again.
import { beforeEach, describe, expect, test } from 'vitest';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { Confirmed } from '../../contracts/lineage.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { doubtOf, remedyFor } from '../../simulator/splitter/core/doubt.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { LIFE, lifeOf, LINEAGE, SOURCE } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';

const REGIONS = 6;
const SIZE_BYTES = REGIONS * REGION_BYTES;
const GROUP = groupIdSchema.parse('g1');
const NOW = 5;

function split(marked: number, confirmed?: Confirmed): VolumeSplit {
  return new VolumeSplit({
    row: {
      volume: volumeIdSchema.parse('v1'),
      sizeBytes: SIZE_BYTES,
      route: { group: GROUP, appliance: applianceIdSchema.parse('a1'), url: 'http://a1.test', epoch: 1 },
      source: SOURCE,
      proven: true,
    },
    splitter: splitterIdSchema.parse('s1'),
    session: 2,
    life: LIFE,
    confirmed,
    marks: new Marks(SIZE_BYTES, Uint8Array.of(marked)),
    budget: new MemoryBudget(SIZE_BYTES * 4),
    spill: NO_SPILL,
    queueMaxBytes: SIZE_BYTES * 2,
    nowMs: 0,
    beganAtMs: 0,
    startReason: 'splitter restarted',
  });
}

const CONFIRMED: Confirmed = { lineage: LINEAGE, position: 7 };
const meeting = { lineage: LINEAGE, base: 9, former: lifeOf(1), touched: [[1, 2]] as const };
const knows = (life: string): boolean => life === lifeOf(1);

function write(volume: VolumeSplit, region: number): void {
  const place = { offset: region * REGION_BYTES, length: 512 };
  volume.begin(place.offset, place.length);
  volume.complete({ kind: 'write', ...place, data: Buffer.alloc(512) }, NOW);
}

describe('doubt', () => {
  test('is stored while anything is compared: a restart compares what is marked, a write’s region too', () => {
    const before = split(0b000001);
    before.doubt('a resync was ordered', NOW);
    expect(before.isComparisonUnstored).toBe(true);
    before.keepComparison();
    expect(before.row.comparing).toBe('a resync was ordered');
    write(before, 3);
    before.marks.compared(4, true);
    before.marks.clearSettled();
    const { marks } = before;

    const restored = new Marks(SIZE_BYTES, marks.bytes(0, marks.byteLength).slice());
    restored.doubtMarked();
    expect([restored.marked, restored.dirty, restored.doubted]).toEqual([5, 0, 5]);
    expect([restored.nextDoubted(0), restored.nextDoubted(4)]).toEqual([0, 5]);
    for (const region of [0, 1, 2, 5]) restored.compared(region, true);
    restored.compared(3, false);
    expect(restored.clearSettled()).toEqual([0, 1, 2, 5]);
    expect(restored.nextDirty()).toBe(3);

    for (let region = 0; region < REGIONS; region += 1) marks.compared(region, true);
    expect(before.isComparisonUnstored).toBe(true);
    before.keepComparison();
    expect(before.row.comparing).toBeUndefined();
  });

  test('none when what the replica received since is to be sent again anyway', () => {
    expect(doubtOf(split(0b000110, CONFIRMED), meeting, knows)).toBeUndefined();
  });

  test('none at a replica without any record', () => {
    expect(doubtOf(split(0), { ...meeting, base: 0, former: lifeOf(8) }, knows)).toBeUndefined();
  });

  test.each([
    ['a life that is not known here', { former: lifeOf(8) }],
    ['a region that is not marked here', { touched: [[0, 1]] as const }],
    ['nobody knows what was changed', { touched: undefined }],
  ])('%s', (_what, change) => {
    expect(doubtOf(split(0b000110, CONFIRMED), { ...meeting, ...change }, knows)).toBeDefined();
  });

  test('a mark of a write of this life does not tell what the replica received before', () => {
    const volume = split(0, CONFIRMED);
    write(volume, 1);
    write(volume, 2);
    expect(volume.marks.isMarked(1)).toBe(true);
    expect(doubtOf(volume, meeting, knows)).toBeDefined();
  });
});

describe('a session that was attached before', () => {
  let volume: VolumeSplit;
  beforeEach(() => {
    volume = split(0, { ...CONFIRMED, life: lifeOf(1) });
    volume.attached({ n: 0, lineage: LINEAGE, base: 7 });
  });

  test('has no doubt about a replica that goes on where it was', () => {
    expect(doubtOf(volume, { ...meeting, base: 7 }, knows)).toBeUndefined();
    expect(volume.confirmed).toEqual({ ...CONFIRMED, life: lifeOf(1) });
  });

  test('doubts a replica that has other writes before its own', () => {
    expect(doubtOf(volume, meeting, knows)).toContain('was put back');
    write(volume, 1);
    volume.receipt(1);
    volume.attached({ n: 0, lineage: LINEAGE, base: 9 });
    expect(volume.confirmed).toEqual({ lineage: LINEAGE, position: 9 });
  });
});

describe('remedies', () => {
  test('a session whose number was used is numbered anew before it was attached, and begun anew after', () => {
    const volume = split(0, CONFIRMED);
    expect(remedyFor(volume, { sessionMin: 9 })).toEqual({ kind: 'renumber', sessionMin: 9 });
    volume.attached({ n: 0, lineage: LINEAGE, base: 7 });
    expect(remedyFor(volume, { sessionMin: 9 })).toEqual({ kind: 'startOver', lineage: CONFIRMED, sessionMin: 9 });
  });

  test('nothing to do but to wait without advice', () => {
    expect(remedyFor(split(0), {})).toBeUndefined();
  });
});

describe('starting over', () => {
  let volume: VolumeSplit;
  beforeEach(() => {
    volume = split(0, CONFIRMED);
    volume.attached({ n: 0, lineage: LINEAGE, base: 7 });
    write(volume, 0);
    expect(volume.startOver(5, { lineage: LINEAGE, position: 3 }, 'lost', NOW)).toBe('all');
    expect([volume.marks.marked, volume.marks.doubted]).toEqual([REGIONS, REGIONS - 1]);
  });

  test('drops what was numbered, doubts the rest and tells why', () => {
    expect(volume.allConfirmed).toBe(true);
    expect(volume.claim()).toMatchObject({ session: 5, confirmed: { position: 3 } });
    expect([volume.marks.dirty, volume.marks.doubted]).toEqual([1, 5]);
    expect(volume.describe()).toMatchObject({
      mode: 'MARKS_ONLY',
      connected: false,
      markedRegions: REGIONS,
      initialization: { reason: 'lost', sinceMs: NOW, doubtedRegions: 5 },
    });
  });

  test('ends once what differs was sent and the rest was found the same', () => {
    volume.attached({ n: 0, lineage: LINEAGE, base: 3 });
    expect(volume.initialize(NOW)).toBe(true);
    expect(volume.initializationMark).toEqual({ session: 5, n: 1 });
    const next = volume.nextResend();
    expect(next?.region).toBe(0);
    volume.resent(0, { kind: 'zeroes' }, NOW);
    volume.marks.compared(1, false);
    for (const region of [2, 3, 4, 5]) volume.marks.compared(region, true);
    expect(volume.finishInitialization(NOW)).toBe(false);
    volume.resent(1, { kind: 'zeroes' }, NOW);
    expect(volume.finishInitialization(NOW)).toBe(true);
    volume.receipt(volume.lastN);
    volume.marks.clearSettled();
    expect(volume.marks.marked).toBe(0);
    expect(volume.confirmed).toEqual({ lineage: LINEAGE, position: 3 + 4, life: LIFE });
  });

  test('a write that is kept by its mark only takes a region out of doubt: it is sent, whatever the comparison says', () => {
    write(volume, 2);
    volume.marks.compared(2, true);
    expect(volume.marks.isDirty(2 * REGION_BYTES, 1)).toBe(true);
  });
});
