// The sparse image file: content exactly, holes where zeroes are, and nothing under the name before
// it is whole.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SparseFile } from '../../client/images/sparse-file.js';

const MIB = 1024 * 1024;
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sparse-'));
  path = join(folder, 'image');
});
afterEach(async () => rm(folder, { recursive: true }));

test('what is written is read back, and zeroes take no space', async () => {
  const content = Buffer.alloc(4 * MIB);
  content.fill(7, 3 * MIB + 4096, 3 * MIB + 3 * 4096 + 5);
  const file = await SparseFile.create(path, content.length);
  await file.write(0, content.subarray(0, MIB));
  await file.write(MIB, content.subarray(MIB));
  await file.publish(false);
  expect((await readFile(path)).equals(content)).toBe(true);
  expect(file.dataBytes).toBe(3 * 4096);
  // In units of 512 bytes.
  expect((await stat(path)).blocks * 512).toBeLessThan(MIB);
});

test('the name stands for nothing until the file is published', async () => {
  const file = await SparseFile.create(path, MIB);
  expect(await readdir(folder)).not.toContain('image');
  await file.publish(false);
  expect(await readdir(folder)).toEqual(['image']);
});

test('an existing file is left alone unless overwriting is allowed', async () => {
  await writeFile(path, 'precious');
  const refused = await SparseFile.create(path, MIB);
  await expect(refused.publish(false)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  expect(await readFile(path, 'utf8')).toBe('precious');
  const allowed = await SparseFile.create(path, MIB);
  await allowed.publish(true);
  expect((await stat(path)).size).toBe(MIB);
  expect(await readdir(folder)).toEqual(['image']);
});

test('a file that is discarded leaves nothing', async () => {
  const file = await SparseFile.create(path, MIB);
  await file.discard();
  expect(await readdir(folder)).toEqual([]);
});
