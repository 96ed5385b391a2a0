// A disk that takes long stalls one call on the main thread. For a while after it, the thread pool
// does that disk's work.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { type DiskCalls, systemCalls } from '../../simulator/disk/disk-calls.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { DiskPace } from '../../simulator/splitter/files/disk-pace.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';
import { MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { ProtectedVolume } from '../../simulator/splitter/volume/protected-volume.js';
import { SourceFile } from '../../simulator/splitter/files/source-file.js';
import { BacklogFile } from '../../simulator/splitter/files/backlog-file.js';
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';

const SIZE_BYTES = 4 * REGION_BYTES;
const BLOCK = 4_096;
const DATA = Buffer.alloc(BLOCK, 7);
let folder: string;
let volume: ProtectedVolume;
/** The monotonic clock, and what a call on the main thread takes by it, in milliseconds. */
let clockMs: number;
let callMs: number;
/** Count of the disk's calls on the main thread, and the most at once in the pool. */
let atOnce: number;
let inPool: number;
let inPoolMax: number;

function slowCalls(): DiskCalls {
  const onMain = <T>(call: () => T): T => {
    atOnce += 1;
    clockMs += callMs;
    return call();
  };
  const pooled = async <T>(call: () => Promise<T>): Promise<T> => {
    inPool += 1;
    inPoolMax = Math.max(inPoolMax, inPool);
    return call().finally(() => {
      inPool -= 1;
    });
  };
  return Object.assign(Object.create(systemCalls) as DiskCalls, {
    readNow: (...call: Parameters<DiskCalls['readNow']>) => onMain(() => systemCalls.readNow(...call)),
    writeNow: (...call: Parameters<DiskCalls['writeNow']>) => onMain(() => systemCalls.writeNow(...call)),
    readLater: async (...call: Parameters<DiskCalls['readLater']>) =>
      pooled(async () => systemCalls.readLater(...call)),
    writeLater: async (...call: Parameters<DiskCalls['writeLater']>) =>
      pooled(async () => systemCalls.writeLater(...call)),
  });
}

beforeEach(() => {
  [clockMs, callMs, atOnce, inPool, inPoolMax] = [1_000, 0, 0, 0, 0];
  folder = mkdtempSync(join(tmpdir(), 'slow-disk-'));
  const marks = new Marks(SIZE_BYTES);
  const route = { group: groupIdSchema.parse('g1'), appliance: applianceIdSchema.parse('a1'), url: 'http://a1.test' };
  const split = new VolumeSplit({
    row: {
      volume: volumeIdSchema.parse('v1'),
      sizeBytes: SIZE_BYTES,
      route: { ...route, epoch: 1 },
      source: SOURCE,
      proven: true,
    },
    splitter: splitterIdSchema.parse('s1'),
    session: 1,
    life: LIFE,
    marks,
    budget: new MemoryBudget(SIZE_BYTES),
    spill: new BacklogFile(join(folder, 'spill'), 0, pino({ level: 'silent' })),
    queueMaxBytes: SIZE_BYTES,
    nowMs: 0,
    beganAtMs: 0,
    startReason: '',
  });
  split.attached({ n: 0, lineage: LINEAGE, base: 0 });
  volume = new ProtectedVolume({
    split,
    source: new SourceFile(join(folder, 'source'), SIZE_BYTES, slowCalls(), new DiskPace(() => clockMs)),
    marksFile: new MarksFile(join(folder, 'marks'), marks),
    held: new HeldAcknowledgements(new Holds()),
    sync: false,
    events: { onNumbered: () => undefined, onSettled: () => undefined, onMarked: () => undefined },
  });
  volume.guestCame();
});
afterEach(() => {
  volume.guestLeft();
  rmSync(folder, { recursive: true });
});

const write = (at: number): void | Promise<void> =>
  volume.change({ kind: 'write', offset: at, length: BLOCK, data: DATA }, false);
const zeroed = async (): Promise<void> => volume.change({ kind: 'zeroes', offset: 0, length: BLOCK }, false);

test('a quick disk is asked at once', async () => {
  callMs = 20;
  await write(0);
  expect(Buffer.isBuffer(volume.read(0, BLOCK))).toBe(true);
  expect([atOnce, inPoolMax]).toEqual([2, 0]);
});

test('after one slow call the pool does the work, a call at a time, until the disk has had its while', async () => {
  callMs = 200;
  await write(0);
  expect(atOnce).toBe(1);
  const blocks = [1, 2, 3, 4, 5].map((i) => i * BLOCK);
  await Promise.all([...blocks.map(async (at) => write(at)), zeroed()]);
  const read = await Promise.all(blocks.map(async (at) => volume.read(at, BLOCK)));
  expect(read.every((data) => data.equals(DATA))).toBe(true);
  expect((await volume.read(0, BLOCK)).equals(Buffer.alloc(BLOCK))).toBe(true);
  expect([atOnce, inPoolMax]).toEqual([1, 1]);

  clockMs += 5_000;
  callMs = 0;
  expect(Buffer.isBuffer(volume.read(0, BLOCK))).toBe(true);
  await write(0);
  expect(atOnce).toBe(3);
});
