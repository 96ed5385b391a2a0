// `volume-mover codec-server` as a process: it needs no estate, decodes with the codec of its
// environment, and ends at Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { runCommand } from '../support/cli.js';

const COMMAND = fileURLToPath(new URL('../../bin/volume-mover.js', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vm-codec-server-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('it serves the codec of its environment until Ctrl-C', async () => {
  const keys = join(folder, 'keys.json');
  writeFileSync(keys, JSON.stringify({ keys: [{ id: 'k', key: Buffer.alloc(32, 5).toString('base64') }] }));
  const child = spawn(process.execPath, [COMMAND, 'codec-server', '--port', '0', '--json'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], VOLUME_MOVER_CODEC: 'aes-gcm', VOLUME_MOVER_CODEC_KEYS_FILE: keys },
  });
  try {
    const exitCode = once(child, 'exit').then(([code]) => Number(code));
    const said = once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line));
    const first = await Promise.race([said, exitCode.then((code) => `it ended with ${code}`)]);
    const { url } = z.object({ url: z.url() }).parse(JSON.parse(first));
    const ask = async (work: string, body: unknown): Promise<unknown> =>
      (await fetch(`${url}/${work}`, { method: 'POST', body: JSON.stringify(body) })).json();
    const given = { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'ImhlbGxvIg==' }] };
    const hidden = await ask('encode', given);
    expect(JSON.stringify(hidden)).not.toContain('ImhlbGxvIg==');
    expect(await ask('decode', hidden)).toEqual(given);
    child.kill('SIGINT');
    expect(await exitCode).toBe(EXIT.ok);
  } finally {
    child.kill('SIGKILL');
  }
});

test('without a codec there is nothing to decode with', async () => {
  const { exitCode, stderr } = await runCommand({}, ['codec-server', '--port', '0']);
  expect(exitCode).toBe(EXIT.usage);
  expect(stderr).toContain('VOLUME_MOVER_CODEC: must be set as for the worker');
});
