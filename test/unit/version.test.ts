// The version has one source; what else names it must agree.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { VERSION } from '../../contracts/version.js';

async function read(path: string): Promise<string> {
  return await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
}

test('the version is the one of package.json, and the newest of the changelog', async () => {
  expect(JSON.parse(await read('package.json'))).toMatchObject({ version: VERSION });
  const released = [...(await read('CHANGELOG.md')).matchAll(/^## \[(\d+\.\d+\.\d+)\]/gm)].map(
    ([, version]) => version,
  );
  expect(released[0]).toBe(VERSION);
});
