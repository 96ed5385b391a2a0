// What read-ahead keeps in memory, for one connection and for all of a process.
import { expect, test } from 'vitest';
import { READ_AHEAD_BYTES, ReadAhead, WindowRoom } from '../../simulator/appliance/images/read-ahead.js';

const DISK_WINDOWS = 16;
const STEP_BYTES = READ_AHEAD_BYTES / 4;

async function readWhole(reads: ReadAhead): Promise<void> {
  for (let at = 0; at < DISK_WINDOWS * READ_AHEAD_BYTES; at += STEP_BYTES) {
    const data = await reads.read(at, STEP_BYTES);
    expect([data.length, data[0]]).toEqual([STEP_BYTES, at / STEP_BYTES]);
  }
}

test('many sequential connections keep a bounded number of windows together, and all are read right', async () => {
  const room = new WindowRoom(6);
  const fetch = async (offset: number, length: number): Promise<Buffer> => {
    const data = Buffer.alloc(length);
    for (let at = 0; at < length; at += STEP_BYTES) data.fill((offset + at) / STEP_BYTES, at, at + STEP_BYTES);
    return data;
  };
  const all = Array.from({ length: 20 }, () => new ReadAhead(DISK_WINDOWS * READ_AHEAD_BYTES, fetch, room));
  await Promise.all(all.map(async (reads) => readWhole(reads)));
  expect(room.count).toBeGreaterThan(0);
  expect(room.count).toBeLessThanOrEqual(6);
  for (const reads of all) reads.close();
  expect(room.count).toBe(0);
});
