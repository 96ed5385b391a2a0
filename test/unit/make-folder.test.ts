// Folders for files that people ask for: made with those above them, refused in words where the
// system allows none.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from '../../client/images/make-folder.js';
import { SparseFile } from '../../client/images/sparse-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'folder-'));
});
afterEach(async () => rm(folder, { recursive: true }));

test('a folder is made with those above it, and may be there already', async () => {
  const deep = join(folder, 'a', 'b', 'c');
  await makeFolder(deep);
  await makeFolder(deep);
  expect((await stat(deep)).isDirectory()).toBe(true);
});

test('a place below /proc is refused instead of being tried for ever', async () => {
  await expect(makeFolder('/proc/x/y')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(SparseFile.create('/proc/x', 4096)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

test('a file in the place of a folder is named, whether at the end or above', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(makeFolder(file)).rejects.toThrow(`Nothing can be written to "${file}": it exists and is not a folder`);
  await expect(makeFolder(join(file, 'below'))).rejects.toThrow(`"${file}"`);
});
