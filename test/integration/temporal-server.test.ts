// The dev server as a child process: what it is configured to, and that it never stays behind.
import { Connection } from '@temporalio/client';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { locateTemporal } from '../../estate/temporal/locate.js';
import { startTemporal } from '../../estate/temporal/server.js';

import type { StartTemporalOptions, TemporalDevServer } from '../../estate/temporal/server.js';
import { PATIENCE_MS } from '../support/until.js';

const BUILT_SERVER = fileURLToPath(new URL('../../dist/estate/temporal/server.js', import.meta.url));
const DAY_SECONDS = 86_400;

let folder: string;
let executable: string;
const servers: TemporalDevServer[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  const { TEMPORAL_ADDRESS: _address, TEMPORAL_PROFILE: _profile, ...env } = process.env;
  const located = await locateTemporal({ log: () => {}, env });
  if (located.kind !== 'executable') throw new Error('These tests need an executable.');
  executable = located.path;
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map(async (server) => server.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<StartTemporalOptions> = {}): Promise<TemporalDevServer> {
  const server = await startTemporal({ executable, log: () => {}, ...options });
  servers.push(server);
  return server;
}

async function describeDefault(
  address: string,
): Promise<{ readonly retentionDays: number; readonly description: string }> {
  const connection = await Connection.connect({ address });
  try {
    const { config, namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    return {
      retentionDays: Number(config?.workflowExecutionRetentionTtl?.seconds) / DAY_SECONDS,
      description: namespaceInfo?.description ?? '',
    };
  } finally {
    await connection.close();
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch {
    return false;
  }
}

describe('startTemporal', () => {
  test('serves gRPC and the Web UI on loopback and keeps finished workflows for 30 days', async () => {
    const { address, uiUrl } = await start();
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await describeDefault(address)).retentionDays).toBe(30);
    expect((await fetch(`${uiUrl}/api/v1/settings`)).status).toBe(200);
  });

  test('keeps its state in a database file across a restart', async () => {
    const databaseFile = join(folder, 'temporal.db');
    const first = await start({ databaseFile });
    const connection = await Connection.connect({ address: first.address });
    const updateInfo = { description: 'kept' };
    await connection.workflowService.updateNamespace({ namespace: 'default', updateInfo });
    await connection.close();
    await first.stop();
    const second = await start({ databaseFile });
    expect((await describeDefault(second.address)).description).toBe('kept');
  });

  test('says which port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    if (address === null || typeof address === 'string') throw new Error('No port.');
    await expect(start({ port: address.port })).rejects.toThrow(`Port ${address.port} is taken`);
    other.close();
  });

  test("shows the server's own words when it ends at its start", async () => {
    await expect(start({ searchAttributes: { MoveState: 'Nonsense' } })).rejects.toThrow('Nonsense');
  });

  test('is gone once stop has returned, also when called twice', async () => {
    const { processId, stop } = await start();
    await Promise.all([stop(), stop()]);
    expect(isAlive(processId)).toBe(false);
  });

  test.runIf(process.platform === 'linux')('does not outlive a parent that is killed', async () => {
    const script = `import { startTemporal } from ${JSON.stringify(BUILT_SERVER)};
      const server = await startTemporal({ executable: ${JSON.stringify(executable)}, log: () => {} });
      console.log(server.processId);
      setInterval(() => {}, 1_000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const processId = await new Promise<number>((resolve) => {
      createInterface(parent.stdout).once('line', (line) => resolve(Number(line)));
    });
    expect(isAlive(processId)).toBe(true);
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(isAlive(processId)).toBe(false), { timeout: PATIENCE_MS });
  });
});
