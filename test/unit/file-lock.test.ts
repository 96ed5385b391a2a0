// The lock that keeps two processes from building the same server at once.
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { withFileLock } from '../../estate/temporal/file-lock.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe('withFileLock', () => {
  test('lets one in at a time, tells the others that they wait, and leaves no file', async () => {
    let inside = 0;
    let most = 0;
    let waited = 0;
    const enter = async (): Promise<void> =>
      withFileLock({ path: join(folder, 'lock'), onWait: () => (waited += 1) }, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
      });
    await Promise.all([enter(), enter(), enter()]);
    expect(most).toBe(1);
    expect(waited).toBe(2);
    expect(await readdir(folder)).toEqual([]);
  });

  test('takes over the lock of a process that died', async () => {
    const path = join(folder, 'lock');
    await writeFile(path, '');
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(path, longAgo, longAgo);
    expect(await withFileLock({ path, onWait: () => {} }, async () => Promise.resolve('done'))).toBe('done');
  });

  test('is free again after the work failed', async () => {
    const path = join(folder, 'lock');
    const failing = withFileLock({ path, onWait: () => {} }, async () => Promise.reject(new Error('no compiler')));
    await expect(failing).rejects.toThrow('no compiler');
    expect(await readdir(folder)).toEqual([]);
  });

  test('stops waiting when the caller gives up', async () => {
    const path = join(folder, 'lock');
    await writeFile(path, '');
    const abort = new AbortController();
    const waiting = withFileLock({ path, onWait: () => abort.abort(), signal: abort.signal }, async () =>
      Promise.resolve(),
    );
    await expect(waiting).rejects.toThrow(/abort/i);
  });
});
