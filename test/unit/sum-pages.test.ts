// Checksums in memory while a batch is applied: few calls, and the file as if each were written
// alone.
import { expect, test } from 'vitest';

import { SumPages, type PageFile } from '../../simulator/replica-site/journal/replica/sum-pages.js';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { BLOCK_BYTES, open, write } from './journal-fixture.js';

const PAGE_BYTES = 4096;

class CountedFile implements PageFile {
  readonly bytes: Buffer;
  readonly reads: number[] = [];
  readonly writes: { readonly at: number; readonly length: number }[] = [];
  isFull = false;

  constructor(pages: number) {
    this.bytes = Buffer.from(Array.from({ length: pages * PAGE_BYTES }, (_, index) => index % 251));
  }

  read(into: Buffer, at: number): number {
    this.reads.push(at);
    return this.bytes.copy(into, 0, at);
  }

  write(parts: readonly Buffer[], at: number): void {
    if (this.isFull) throw new Error('full');
    const all = Buffer.concat(parts);
    this.writes.push({ at, length: all.length });
    all.copy(this.bytes, at);
  }
}

/** Sets a checksum in memory, and in the copy of the file that it is compared with. */
function set(pages: SumPages, expected: Buffer, place: number): void {
  pages.at(place);
  pages.set(place, place + 1);
  expected.writeUInt32LE(place + 1, place);
}

test('checksums of one page are read once and written once', () => {
  const file = new CountedFile(2);
  const expected = Buffer.from(file.bytes);
  const pages = new SumPages(file);
  for (const place of [400, 8, 1200, 404]) set(pages, expected, place);
  pages.store();
  expect(file.reads).toEqual([0]);
  expect(file.writes).toEqual([{ at: 8, length: 1200 + 4 - 8 }]);
  expect(file.bytes.equals(expected)).toBe(true);
  pages.store();
  expect(file.writes).toHaveLength(1);
});

test('pages near each other are written together, with what lies between if it is in memory', () => {
  const file = new CountedFile(20);
  const expected = Buffer.from(file.bytes);
  const pages = new SumPages(file);
  pages.at(11 * PAGE_BYTES);
  pages.at(2 * PAGE_BYTES);
  for (const page of [10, 0, 12, 1, 4, 19]) set(pages, expected, page * PAGE_BYTES + 40);
  pages.store();
  expect(file.writes.map(({ at }) => (at - 40) / PAGE_BYTES)).toEqual([0, 4, 10, 19]);
  expect(file.bytes.equals(expected)).toBe(true);
});

test('a file that refuses takes the rest when it works again', () => {
  const file = new CountedFile(9);
  const expected = Buffer.from(file.bytes);
  const pages = new SumPages(file);
  for (const page of [0, 8]) set(pages, expected, page * PAGE_BYTES);
  file.isFull = true;
  expect(() => pages.store()).toThrow('full');
  file.isFull = false;
  pages.store();
  expect(file.bytes.equals(expected)).toBe(true);
});

test('what is read from the file gets what only memory has, and what is written to it reaches memory', () => {
  const file = new CountedFile(3);
  const expected = Buffer.from(file.bytes);
  const pages = new SumPages(file);
  for (const place of [PAGE_BYTES - 4, PAGE_BYTES, 2 * PAGE_BYTES]) set(pages, expected, place);
  const read = Buffer.from(file.bytes.subarray(4, 2 * PAGE_BYTES + 8));
  pages.copyTo(read, 4);
  expect(read.equals(expected.subarray(4, 2 * PAGE_BYTES + 8))).toBe(true);

  const written = Buffer.alloc(PAGE_BYTES, 7);
  file.write([written], PAGE_BYTES - 8);
  pages.copyFrom(written, PAGE_BYTES - 8);
  written.copy(expected, PAGE_BYTES - 8);
  expect(pages.at(PAGE_BYTES)).toBe(0x07_07_07_07);
  pages.store();
  expect(file.bytes.equals(expected)).toBe(true);
});

test('memory is bounded, and a page that goes is stored first', () => {
  const file = new CountedFile(300);
  const expected = Buffer.from(file.bytes);
  const pages = new SumPages(file);
  for (let page = 0; page < 300; page += 1) set(pages, expected, page * PAGE_BYTES);
  expect(file.writes).toHaveLength(1);
  pages.store();
  expect(file.bytes.equals(expected)).toBe(true);
});

test('a batch writes the checksums of its blocks together, and rest leaves none in memory', async () => {
  const calls: string[] = [];
  const disk = new Proxy(new MemoryDisk(), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...parameters: unknown[]): unknown => {
        if (String(parameters[0]).endsWith('replica.sum')) calls.push(String(key));
        return Reflect.apply(value, target, parameters);
      };
    },
  });
  const journal = await open(disk);
  const append = (from: number): number =>
    journal.append(Array.from({ length: 16 }, (_, index) => write(from + index, index, from + index)));
  await journal.whenApplied(append(1));
  for (const from of [17, 33]) {
    calls.length = 0;
    await journal.whenApplied(append(from));
    expect(calls.filter((call) => call === 'read' || call === 'write')).toEqual(['read', 'write']);
  }
  const image = await journal.openImage(48);
  expect((await image.read(15 * BLOCK_BYTES, 1))[0]).toBe(48);
  await journal.close();
});
