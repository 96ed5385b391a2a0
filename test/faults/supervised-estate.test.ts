// Real processes under a supervisor with short limits: a stolen port, a process that hangs, a log
// on a full disk.
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGuest } from '../../estate/guest/guest.js';
import { createApiClient } from '../../control/client.js';
import { controlUrl } from '../../contracts/estate.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { type PreparedEstate, prepareEstate, REPLICA_SITE_ID } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { entryPoint } from '../../estate/project.js';
import { Supervisor } from '../../estate/supervisor.js';
import { watchExistingServer } from '../../estate/temporal/existing-watch.js';
import { DurableTemporal } from '../chaos/durable-temporal.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { smallEstate } from '../integration/estate-fixture.js';

/** Short pauses, and no process taken for one that hangs however busy the machine is. */
const LIMITS = {
  firstPauseMs: 20,
  pauseMsMax: 200,
  checkEveryMs: 500,
  failedChecksMax: 1_000,
  startFailedChecksMax: 1_000,
};
const TEST_MS_MAX = 3 * PATIENCE_MS;

let folder: string;
let estate: PreparedEstate;
let supervisor: Supervisor;
let said: string[];
const all = (): string => said.join('\n');

beforeEach(async () => {
  said = [];
  folder = await mkdtemp(join(tmpdir(), 'supervised-'));
  estate = await prepareEstate({ estate: smallEstate(), dataDirectory: folder, log: () => undefined });
  supervisor = new Supervisor({ print: (line) => void said.push(line), limits: LIMITS });
});
afterEach(async () => {
  supervisor.end();
  await estate.stop();
  await supervisor.settled();
  await rm(folder, { recursive: true, force: true });
});

async function startAll(): Promise<void> {
  for (const stage of estate.stages) await supervisor.start(stage);
}

async function saidSoon(text: string): Promise<void> {
  await untilTrue(`"${text}"`, PATIENCE_MS, async () => all().includes(text));
}

function killOne(id: string): void {
  const { pid } = estate.process(id);
  if (pid === undefined) throw new Error(`${id} does not run.`);
  process.kill(pid, 'SIGKILL');
}

async function takePort(port: number): Promise<Server> {
  const server = createServer();
  for (;;) {
    try {
      const listening = once(server, 'listening');
      server.listen(port, '127.0.0.1');
      await listening;
      return server;
    } catch {
      // Its owner still had it, or has it again.
    }
  }
}

test(
  'a replica site whose port somebody took fails for as long as that lasts and then runs again; guests write on meanwhile',
  async () => {
    const { port } = estate.estate.replicaSite.control;
    await startAll();
    const splitter = estate.process('host-1');
    const { pid } = splitter;
    const guest = await startGuest({
      address: await nbdAddressOf(splitter),
      volume: 'vm-1-disk-0',
      seed: 1,
      writesPerSecond: 100,
    });
    try {
      // A new disk is served once the replica site took it.
      await untilTrue('an acknowledged write', PATIENCE_MS, async () => guest.log.acknowledged > 0);
      killOne(REPLICA_SITE_ID);
      const thief = await takePort(port);
      await saidSoon('The replica site ended with exit code 1 again, 4 times in a row now');
      expect(all()).toMatch(/Why {5}Cannot listen on 127\.0\.0\.1 port \d+/);
      expect(all()).toContain('Stop what listens on that port');
      const before = guest.log.acknowledged;
      await untilTrue('further writes', PATIENCE_MS, async () => guest.log.acknowledged > before);
      expect(splitter.pid).toBe(pid);
      thief.close();
      await saidSoon('The replica site runs again');
      await guest.stop();
      expect(guest.reconnections).toBe(0);
    } finally {
      await guest.abandon();
    }
  },
  TEST_MS_MAX,
);

test(
  'splitters start and serve although the replica site hangs at its start',
  async () => {
    const limits = { ...LIMITS, stageMsMax: 500 };
    supervisor = new Supervisor({ print: (line) => void said.push(line), limits });
    const starting = startAll();
    await untilTrue('the start of the replica site', PATIENCE_MS, async () => {
      return estate.process(REPLICA_SITE_ID).pid !== undefined;
    });
    estate.process(REPLICA_SITE_ID).signal('SIGSTOP');
    await starting;
    const address = await nbdAddressOf(estate.process('host-1'));
    // The disk is new, and nobody can say whether it is the volume's: a person does.
    const [host] = estate.estate.splitters;
    if (host === undefined) throw new Error('an estate has splitters');
    const splitter = createApiClient(splitterApi, { baseUrl: controlUrl(host.control) });
    await splitter.decideSource({ volume: volumeIdSchema.parse('vm-1-disk-0'), decision: 'accept-blank' });
    const guest = await startGuest({
      address,
      volume: 'vm-1-disk-0',
      seed: 1,
      writesPerSecond: 100,
    });
    await untilTrue('acknowledged writes', PATIENCE_MS, async () => guest.log.acknowledged > 10);
    await guest.abandon();
    expect(all()).not.toContain('replica-site');
    await estate.process(REPLICA_SITE_ID).kill();
  },
  TEST_MS_MAX,
);

test(
  'a process that hangs is ended and started again',
  async () => {
    const limits = { ...LIMITS, failedChecksMax: 2 };
    supervisor = new Supervisor({ print: (line) => void said.push(line), limits });
    await startAll();
    const appliance = estate.process('appliance-2');
    const { pid } = appliance;
    appliance.signal('SIGSTOP');
    await saidSoon('The appliance appliance-2 was ended: it did not answer for');
    await saidSoon('The appliance appliance-2 runs again');
    expect(appliance.pid).not.toBe(pid);
  },
  TEST_MS_MAX,
);

test(
  'a stop in the middle of a restart leaves no process',
  async () => {
    await startAll();
    const pids = estate.processes.map((process) => process.pid);
    for (const { id } of estate.processes) killOne(id);
    supervisor.end();
    await estate.stop();
    await supervisor.settled();
    expect(estate.processes.filter(({ isAlive }) => isAlive)).toEqual([]);
    for (const pid of pids) expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
  },
  TEST_MS_MAX,
);

test.runIf(process.platform === 'linux')(
  'a process whose log is on a full disk serves all the same',
  async () => {
    const child = spawn(process.execPath, [entryPoint('simulator/replica-site/main')], {
      stdio: ['pipe', 'pipe', openSync('/dev/full', 'w')],
      env: {
        ...process.env,
        VOLUME_MOVER_ESTATE: estate.estateFile,
        VOLUME_MOVER_DATA: join(folder, 'apart'),
        VOLUME_MOVER_EXIT_WITH_PARENT: '1',
      },
    });
    if (child.stdout === null) throw new Error('It has no standard output.');
    const lines: unknown[] = await once(createInterface({ input: child.stdout }), 'line');
    expect(JSON.parse(String(lines[0]))).toMatchObject({ ready: true });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  },
  TEST_MS_MAX,
);

test(
  'a Temporal server of somebody else is not started: one line says that it cannot be reached, one that it answers again',
  async () => {
    const temporal = await DurableTemporal.start(folder);
    const over = new AbortController();
    const { address } = temporal;
    const watched = watchExistingServer(
      { address, namespace: 'default', connection: { address } },
      { print: (line) => void said.push(line), signal: over.signal, checkEveryMs: 50 },
    );
    try {
      await temporal.kill();
      await saidSoon(`Temporal at ${address} cannot be reached.`);
      await temporal.restart();
      await saidSoon(`Temporal at ${address} answers again.`);
      expect(said).toHaveLength(2);
      expect(said[0]).toContain('To do   Start that server, or correct TEMPORAL_ADDRESS');
    } finally {
      over.abort();
      await watched;
      await temporal.stop();
    }
  },
  TEST_MS_MAX,
);
