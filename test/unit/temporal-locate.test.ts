// The order in which a Temporal server is looked for, up to the build, which takes minutes and is
// not repeated here.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { cachedCli } from '../../estate/temporal/cli.js';
import { locateTemporal } from '../../estate/temporal/locate.js';
import { sdkDownload } from '../../estate/temporal/sdk-download.js';

const PROGRAM = '#!/bin/sh\n';

let folder: string;
let env: NodeJS.ProcessEnv;
let lines: string[];
const log = (line: string): void => void lines.push(line);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  // Nothing of this machine's own: no configuration file, no command, no cache.
  env = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache'), XDG_CONFIG_HOME: folder, HOME: folder };
  // Where the SDK keeps its download.
  vi.stubEnv('TMPDIR', folder);
  lines = [];
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function placeProgram(path: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, PROGRAM);
  await chmod(path, 0o755);
  return path;
}

describe('locateTemporal', () => {
  test('uses the server that TEMPORAL_ADDRESS names before anything else', async () => {
    env['TEMPORAL_ADDRESS'] = 'temporal.example:7233';
    env['TEMPORAL_NAMESPACE'] = 'moves';
    env['TEMPORAL_CLI_PATH'] = await placeProgram(join(folder, 'mine'));
    expect(await locateTemporal({ log, env })).toMatchObject({
      kind: 'existing',
      server: { address: 'temporal.example:7233', namespace: 'moves' },
    });
    expect(lines.join('\n')).toContain('temporal.example:7233');
  });

  test('reaches Temporal Cloud with TLS when there is an API key', async () => {
    env['TEMPORAL_ADDRESS'] = 'moves.tmprl.cloud:7233';
    env['TEMPORAL_API_KEY'] = 'a-key';
    expect(await locateTemporal({ log, env })).toMatchObject({
      server: { connection: { address: 'moves.tmprl.cloud:7233', apiKey: 'a-key', tls: true }, namespace: 'default' },
    });
  });

  test('takes the address from the profile that TEMPORAL_PROFILE names', async () => {
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.site-b]\naddress = "site-b:7233"\nnamespace = "b"\n');
    env['TEMPORAL_CONFIG_FILE'] = file;
    env['TEMPORAL_PROFILE'] = 'site-b';
    expect(await locateTemporal({ log, env })).toMatchObject({ server: { address: 'site-b:7233', namespace: 'b' } });
  });

  test("uses TEMPORAL_CLI_PATH, then PATH, then the SDK's own download, then the cache", async () => {
    env['TEMPORAL_CLI_PATH'] = await placeProgram(join(folder, 'mine'));
    const places = [
      { path: env['TEMPORAL_CLI_PATH'], origin: 'TEMPORAL_CLI_PATH' },
      { path: await placeProgram(join(folder, 'bin', 'temporal')), origin: 'PATH' },
      { path: await placeProgram(await sdkDownload()), origin: 'SDK download' },
      { path: await placeProgram(cachedCli(env)), origin: 'cache' },
    ];
    for (const place of places) {
      expect(await locateTemporal({ log, env })).toEqual({ kind: 'executable', ...place });
      delete env['TEMPORAL_CLI_PATH'];
      await rm(place.path);
    }
  });

  test('refuses a TEMPORAL_CLI_PATH that is not executable instead of looking on', async () => {
    await placeProgram(join(folder, 'bin', 'temporal'));
    env['TEMPORAL_CLI_PATH'] = join(folder, 'nothing');
    await expect(locateTemporal({ log, env })).rejects.toThrow(/TEMPORAL_CLI_PATH names .*nothing/);
  });
});
