// A journal on a real disk that is full: its reserve is enough to let go of history, and to open
// what a killed process left half done.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freeBytes } from '../../simulator/disk/free-room.js';
import { RoomReserve } from '../../simulator/disk/room-reserve.js';
import { NodeFiles } from '../../simulator/replica-site/journal/files/node-files.js';
import { spareFiles } from '../../simulator/replica-site/journal/files/spare-files.js';
import type { Files } from '../../simulator/replica-site/journal/terms/files.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { openVolumeJournal } from '../../simulator/replica-site/journal/volume-journal.js';
import { FaultyFiles } from '../support/faulty-files.js';
import { SmallDisk } from '../support/small-disk.js';
import { PATIENCE_MS } from '../support/until.js';

const KIB = 1024;
const MIB = KIB * KIB;
const BLOCK = 4 * KIB;
const SIZE_BYTES = 2 * MIB;
const BLOCKS = SIZE_BYTES / BLOCK;
const SEGMENT_BYTES = 128 * KIB;

let folder: string;
let disk: SmallDisk;
let reserve: RoomReserve;
const journals: VolumeJournal[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vm-small-disk-'));
  disk = SmallDisk.mount(folder, 24 * KIB);
  reserve = new RoomReserve(join(folder, 'reserve'), folder);
  await reserve.take();
});
afterEach(async () => {
  for (const journal of journals.splice(0)) await journal.close();
  disk.unmount();
  rmSync(folder, { recursive: true, force: true });
});

async function open(files: Files, held: Pick<RoomReserve, 'give'> = reserve): Promise<VolumeJournal> {
  const journal = await openVolumeJournal({
    directory: join(folder, 'volume'),
    sizeBytes: SIZE_BYTES,
    segmentBytes: SEGMENT_BYTES,
    files,
    spareFiles: spareFiles(files, held),
  });
  journals.push(journal);
  return journal;
}

function write(n: number): Parameters<VolumeJournal['append']>[0][number] {
  const offset = ((n * 7) % BLOCKS) * BLOCK;
  return { kind: 'write', session: 1, n, epoch: 1, timeMs: n, offset, data: Buffer.alloc(BLOCK, n) };
}

async function append(journal: VolumeJournal, upTo: number): Promise<void> {
  for (let n = journal.durable.n + 1; n <= upTo; n += 1) journal.append([write(n)]);
  await journal.whenApplied(upTo);
}

async function contents(journal: VolumeJournal, position: number): Promise<Buffer> {
  const image = await journal.openImage(position);
  try {
    return await image.read(0, SIZE_BYTES);
  } finally {
    image.close();
  }
}

function expected(position: number): Buffer {
  const bytes = Buffer.alloc(SIZE_BYTES);
  for (let n = 1; n <= position; n += 1) bytes.fill(n, ((n * 7) % BLOCKS) * BLOCK, ((n * 7) % BLOCKS) * BLOCK + BLOCK);
  return bytes;
}

const RETAINED = { positions: [1_000, 1_001, 2_500], everyFrom: 2_900 };
const LAST = 3_000;

async function retainAll(journal: VolumeJournal): Promise<void> {
  for (let done = false; !done;) ({ done } = await journal.retain(RETAINED));
}

test('on a full disk history is let go of and consolidated with the room of the reserve, which is taken again', async () => {
  const journal = await open(new NodeFiles());
  await append(journal, LAST);
  const held = reserve.bytes;
  expect(held).toBe((24 * MIB) / 64);
  disk.fill();
  expect(freeBytes(folder)).toBe(0);
  await retainAll(journal);
  expect(freeBytes(folder)).toBeGreaterThan(4 * MIB);
  for (const position of [...RETAINED.positions, LAST])
    expect((await contents(journal, position)).equals(expected(position)), `position ${position}`).toBe(true);
  await reserve.take();
  expect(reserve.bytes).toBe(held);
});

test('without a reserve nothing can be let go of on a full disk, and nothing is lost by trying', async () => {
  const journal = await open(new NodeFiles(), { give: () => false });
  await append(journal, LAST);
  disk.fill();
  await expect(retainAll(journal)).rejects.toMatchObject({ code: 'STALLED' });
  expect((await contents(journal, 1_500)).equals(expected(1_500))).toBe(true);
  disk.empty();
  await retainAll(journal);
  expect(journal.stalls.size).toBe(0);
});

test('a batch that a full disk took in part is brought in with the room of the reserve when the journal is opened', async () => {
  const files = new FaultyFiles(new NodeFiles());
  const journal = await open(files);
  await append(journal, 100);
  files.fault = { calls: ['write'], path: /replica\.img$/, code: 'ENOSPC', tornShare: 0.5 };
  for (let n = 101; n <= 130; n += 1) journal.append([write(n)]);
  await expect.poll(() => journal.stalls.has('distribution'), { timeout: PATIENCE_MS }).toBe(true);
  const { position } = journal.durable;
  files.kill();
  disk.fill();
  const again = await open(new NodeFiles());
  expect(again.durable.position).toBe(position);
  expect((await contents(again, 90)).equals(expected(90))).toBe(true);
  expect((await contents(again, again.applied.position)).equals(expected(again.applied.position))).toBe(true);
  disk.empty();
  await again.whenApplied(position);
  expect((await contents(again, position)).equals(expected(position))).toBe(true);
});

test('a reserve takes nothing from a disk that has little left, and gives what is asked for and no more', async () => {
  const held = reserve.bytes;
  expect(reserve.give(1)).toBe(true);
  expect(reserve.bytes).toBe(held - 256 * KIB);
  disk.fill(64);
  await reserve.take();
  expect(reserve.bytes).toBe(held - 256 * KIB);
  expect(reserve.give(MIB)).toBe(true);
  expect(existsSync(join(folder, 'reserve'))).toBe(false);
  expect(reserve.give(1)).toBe(false);
});
