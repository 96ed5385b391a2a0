// A journal says which history it holds, and a history that branches off gets an identity of its
// own.
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { MemoryDisk } from '../property/journal-memory-disk.js';
import { DIRECTORY, SIZE_BYTES, killedVolume, open, write } from './journal-fixture.js';

const MANIFEST = `${DIRECTORY}/manifest`;
const IDENTITY = /^[0-9a-f]{32}$/;

describe("a lineage's identity", () => {
  test('is made once, differs from that of any other volume, and outlives kills', async () => {
    const disk = await killedVolume(4);
    const journal = await open(disk);
    const { lineage } = journal;
    expect(lineage.id).toMatch(IDENTITY);
    expect(lineage.parent).toBeUndefined();
    await journal.close();
    for (let opening = 0; opening < 2; opening += 1) {
      const again = await open(disk);
      expect(again.lineage).toEqual(lineage);
      await again.close();
    }
    const other = await open(await killedVolume(4));
    expect(other.lineage.id).not.toBe(lineage.id);
    await other.close();
  });

  test.each([1, 2])('is given to a folder of format %i at its first opening', async (format) => {
    const disk = await killedVolume(4);
    toFormat(disk, format);
    const journal = await open(disk);
    const { lineage } = journal;
    expect(lineage.id).toMatch(IDENTITY);
    disk.dieAfter(-1, 0);
    disk.revive();
    const again = await open(disk);
    expect(again.lineage).toEqual(lineage);
    expect((await (await again.openImage(4)).read(0, SIZE_BYTES))[0]).toBe(4);
    await again.close();
  });
});

describe('a fork', () => {
  test('is a new identity that names its parent, and positions grow on', async () => {
    const disk = await killedVolume(4);
    const journal = await open(disk);
    const before = journal.lineage;
    journal.append([write(5, 0, 5)]);
    const forked = await journal.fork('the splitter knows of later records');
    expect(forked.id).toMatch(IDENTITY);
    expect(forked.parent).toEqual({ id: before.id, position: 5, reason: 'the splitter knows of later records' });
    expect(forked.id).not.toBe(before.id);
    expect(journal.lineage).toEqual(forked);
    expect(journal.append([write(6, 0, 6)])).toBe(6);
    await journal.whenApplied(6);
    expect((await (await journal.openImage(5)).read(0, SIZE_BYTES))[0]).toBe(5);
    disk.dieAfter(-1, 0);
    disk.revive();
    const again = await open(disk);
    expect(again.lineage).toEqual(forked);
    expect(again.durable.position).toBe(6);
    await again.close();
  });

  test('that could not be stored did not take place', async () => {
    const disk = await killedVolume(4);
    const journal = await open(disk);
    const before = journal.lineage;
    disk.dieAfter(0, 0);
    await expect(journal.fork('lost')).rejects.toMatchObject({ code: 'FAILED' });
    expect(journal.lineage).toEqual(before);
    await journal.close().catch(() => undefined);
    disk.revive();
    const again = await open(disk);
    expect(again.lineage).toEqual(before);
    await again.close();
  });
});

/** Writes the manifest as an older version did. */
function toFormat(disk: MemoryDisk, format: number): void {
  const [text = ''] = disk.contents(MANIFEST).toString().split('\n');
  const { sizeBytes, trimPosition, floor, sessions, retained } = JSON.parse(text) as Record<string, unknown>;
  const facts = { sizeBytes, trimPosition, floor, sessions };
  const old = JSON.stringify(format === 1 ? { ...facts, format } : { ...facts, format, retained });
  disk.remove(MANIFEST);
  disk.remove(`${MANIFEST}.copy`);
  disk.write(MANIFEST, [Buffer.from(`${old}\n${crc32(old)}\n`)], 0);
}
