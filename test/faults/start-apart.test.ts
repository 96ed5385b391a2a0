// `npm start` with kill -9: Temporal comes back with what it knew, and nobody else's death is
// anybody's business.
import { Client, Connection } from '@temporalio/client';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TASK_QUEUE } from '../../contracts/move.js';
import type { Estate } from '../../contracts/estate.js';
import { startGuest } from '../../estate/guest/guest.js';
import { withPorts } from '../../estate/ports.js';
import { StartRun } from '../support/start-run.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { smallEstate } from '../integration/estate-fixture.js';

const TEST_MS_MAX = 3 * PATIENCE_MS;

let folder: string;
let runs: StartRun[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'));
  runs = [];
});
afterEach(async () => {
  for (const run of runs) await run.end();
  await rm(folder, { recursive: true, force: true });
}, TEST_MS_MAX);

async function estateWithTemporal(): Promise<Estate> {
  const estate = await withPorts(smallEstate());
  return { ...estate, temporal: { host: '127.0.0.1', port: 0, uiPort: 0 } };
}

async function begin(estate: Estate, environment: NodeJS.ProcessEnv = {}): Promise<StartRun> {
  const run = await StartRun.begin(folder, estate, environment);
  runs.push(run);
  return run;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function times(text: string, found: string): number {
  return text.split(found).length - 1;
}

test(
  'Temporal killed in the middle of a move comes back on its port with its database; the move ends, and guests notice nothing',
  async () => {
    const run = await begin(await estateWithTemporal());
    await run.untilSaid('Ctrl-C stops everything');
    expect(times(run.output, 'Temporal: /')).toBe(1);
    const { temporal, splitters } = run.estate;
    const [host] = splitters;
    if (host === undefined || temporal === undefined) throw new Error('The estate has a splitter and Temporal.');
    const guest = await startGuest({ address: host.nbd, volume: 'vm-1-disk-0', seed: 1, writesPerSecond: 100 });
    const connection = await Connection.connect({ address: `${temporal.host}:${temporal.port}` });
    try {
      const client = new Client({ connection });
      // The target's appliance stands still, so that the move does: without it a move takes half a
      // second.
      const appliance = await run.pidOf('appliance-2');
      process.kill(appliance, 'SIGSTOP');
      const handle = await client.workflow.start('moveVolume', {
        taskQueue: TASK_QUEUE,
        workflowId: 'moved',
        args: [{ volume: 'vm-1-disk-0', to: 'cg-silver' }],
      });
      await untilTrue('a step under way', PATIENCE_MS, async () => {
        const { raw } = await handle.describe();
        return (raw.pendingActivities ?? []).length > 0;
      });
      process.kill(await run.pidOf('temporal'), 'SIGKILL');
      await run.untilSaid('The Temporal server ended with SIGKILL. It is started again now; nothing else is stopped.');
      await run.untilSaid('The Temporal server runs again');
      process.kill(appliance, 'SIGCONT');
      // The very same client: it finds its way back by itself.
      const result = await until('the end of the move', PATIENCE_MS, async () => {
        const ended: Promise<unknown> = handle.result();
        return await ended.catch((error: unknown) => {
          if (error instanceof Error && error.name === 'ServiceError') return undefined;
          throw error;
        });
      });
      expect(result).toMatchObject({ volumes: [{ volume: 'vm-1-disk-0' }] });
      await untilTrue('the move among those found by their volume', PATIENCE_MS, async () => {
        const query = 'Volumes = "vm-1-disk-0"';
        return (
          (await client.workflowService.countWorkflowExecutions({ namespace: 'default', query })).count.toNumber() > 0
        );
      });
      const before = guest.log.acknowledged;
      await untilTrue('further writes', PATIENCE_MS, async () => guest.log.acknowledged > before);
      await guest.stop();
      expect(guest.reconnections).toBe(0);
      expect(run.output).toContain(`kept in ${join(folder, 'data', 'temporal.db')}`);
      expect(times(run.output, 'The Temporal server')).toBe(2);
    } finally {
      await guest.abandon();
      await connection.close();
    }
    expect(await run.end()).toBe(0);
  },
  TEST_MS_MAX,
);

test(
  'a worker that is killed three times, beside a Temporal that can not be reached, stops nobody; a second start is refused; a killed launcher leaves nobody',
  async () => {
    // Nobody listens on it.
    const estate = await withPorts(smallEstate());
    const nobody = createServer().listen(0, '127.0.0.1');
    await until('a port', PATIENCE_MS, async () => nobody.address() ?? undefined);
    const found = nobody.address();
    const port = typeof found === 'object' ? found?.port : 0;
    nobody.close();
    const run = await begin(estate, { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    await run.untilSaid('Ctrl-C stops everything');
    await run.untilSaid(`Temporal at 127.0.0.1:${port} cannot be reached.`);
    const others = ['replica-site', 'appliance-1', 'appliance-2', 'host-1'];
    const before = await Promise.all(others.map(async (id) => run.pidOf(id)));
    let worker = 0;
    for (let kills = 0; kills < 3; kills += 1) {
      worker = await until('another worker', PATIENCE_MS, async () => {
        const pid = await run.pidOf('worker');
        return pid === worker ? undefined : pid;
      });
      process.kill(worker, 'SIGKILL');
    }
    await run.untilSaid('The worker ended with SIGKILL again, 3 times in a row now');
    expect(await Promise.all(others.map(async (id) => run.pidOf(id)))).toEqual(before);
    expect(before.every(isThere)).toBe(true);

    const second = await begin(estate);
    expect(await second.ended()).toBe(1);
    expect(second.output).toContain(`An estate runs already in ${join(folder, 'data')}`);

    const pids = await run.pids();
    await run.end('SIGKILL');
    await untilTrue('the end of all', PATIENCE_MS, async () => !pids.some(isThere));
    const again = await begin(estate, { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    await again.untilSaid('splitter host-1');
    expect(await again.end()).toBe(0);
  },
  TEST_MS_MAX,
);

test(
  'a process that refuses its configuration ends the start with its words, and the others with it',
  async () => {
    const estate = await estateWithTemporal();
    const [appliance] = estate.appliances;
    if (appliance === undefined) throw new Error('The estate has an appliance.');
    // Not loopback, and no token.
    appliance.control.host = '0.0.0.0';
    const run = await begin(estate);
    expect(await run.ended()).toBe(1);
    expect(run.output).toMatch(/The appliance appliance-1 refuses its configuration: .*token/);
    const left = (await run.pids()).filter(isThere);
    expect(left).toEqual([]);
  },
  TEST_MS_MAX,
);

test('an invalid estate file is refused before anything is started', async () => {
  const estate = smallEstate();
  const run = await begin({ ...estate, groups: [] });
  expect(await run.ended()).toBe(1);
  expect(run.output).toContain('groups');
  await expect(readFile(join(folder, 'data', 'launcher.json'))).rejects.toThrow('ENOENT');
});
