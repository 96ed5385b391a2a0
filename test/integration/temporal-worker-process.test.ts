// `volume-mover worker`: it says when it is ready, works, answers for its health, and ends when
// asked to.
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createMoverClient, readEstateFile } from '../../client/index.js';
import { healthSchema, readinessSchema } from '../../contracts/health.js';
import { TASK_QUEUE } from '../../contracts/move.js';
import { openTemporal, type OpenTemporal } from '../../estate/temporal/open.js';
import { createNamespace } from '../support/namespace.js';
import { TcpDetour } from '../support/tcp-detour.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const COMMAND = fileURLToPath(new URL('../../bin/volume-mover.js', import.meta.url));
const addressSchema = z.object({ port: z.number() });
const readySchema = z.strictObject({ ready: z.literal(true), role: z.literal('worker'), id: z.string(), url: z.url() });

/**
 * A server of its own: these workers take what is on the project's task queue, other tests' moves
 * too.
 */
let temporal: OpenTemporal;
beforeAll(async () => {
  const { TEMPORAL_ADDRESS: _address, TEMPORAL_PROFILE: _profile, ...env } = process.env;
  temporal = await openTemporal({ env, log: () => {} });
});
afterAll(async () => temporal.stop());

let folder: string;
let children: ChildProcessWithoutNullStreams[];
/** A control port of a process that hangs. */
let frozen: Server;
let held: Socket[];
beforeEach(() => {
  held = [];
  frozen = createServer((socket) => held.push(socket));
  folder = mkdtempSync(join(tmpdir(), 'volume-mover-test-'));
  children = [];
});
afterEach(() => {
  frozen.close();
  for (const socket of held) socket.destroy();
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface StartedProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ready: Promise<z.infer<typeof readySchema>>;
  /** What it has logged so far. */
  readonly log: () => string;
  readonly exitCode: Promise<number>;
}

/**
 * An estate whose only appliance is a port where nobody listens: the worker must start all the
 * same.
 */
function start(
  environment: Record<string, string> = {},
  changes: Record<string, unknown> = {},
  flags: readonly string[] = [],
): StartedProcess {
  const estate = join(folder, 'estate.json');
  writeFileSync(
    estate,
    JSON.stringify({
      replicaSite: { control: { port: 1 } },
      appliances: [{ id: 'a1', control: { port: 1 }, nbd: { port: 1 } }],
      splitters: [{ id: 's1', control: { port: 1 }, nbd: { port: 1 }, volumes: [] }],
      groups: [{ id: 'g1', appliance: 'a1' }],
      worker: { health: { port: 0 } },
      ...changes,
    }),
  );
  const child = spawn(process.execPath, [COMMAND, 'worker', ...flags], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      VOLUME_MOVER_ESTATE: estate,
      VOLUME_MOVER_ID: 'w1',
      TEMPORAL_ADDRESS: temporal.address,
      ...environment,
    },
  });
  children.push(child);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ready = once(createInterface({ input: child.stdout }), 'line').then(([line]) =>
    readySchema.parse(JSON.parse(String(line))),
  );
  ready.catch(() => undefined);
  return { child, ready, log: () => log, exitCode: once(child, 'exit').then(([code]) => Number(code)) };
}

test('says in one line that it is ready, is healthy, takes workflows, and ends cleanly on SIGTERM', async () => {
  const worker = start();
  const { id, url } = await worker.ready;
  expect(id).toBe('w1');
  expect(healthSchema.parse(await (await fetch(`${url}/healthz`)).json())).toMatchObject({
    status: 'ok',
    role: 'worker',
    id: 'w1',
    notes: [],
  });
  expect(await statusesOf(url)).toEqual(SERVES);

  const connection = await Connection.connect({ address: temporal.address });
  try {
    const client = new Client({ connection, namespace: temporal.namespace });
    const refused = client.workflow.execute('moveVolume', {
      taskQueue: TASK_QUEUE,
      workflowId: randomUUID(),
      args: [{}],
    });
    await expect(refused).rejects.toBeInstanceOf(WorkflowFailedError);
  } finally {
    await connection.close();
  }

  worker.child.kill('SIGTERM');
  expect(await worker.exitCode).toBe(0);
  expect(worker.log()).toContain('"msg":"stopped"');
});

test('is gone soon after SIGTERM though its appliance is frozen, and leaves the step to another worker', async () => {
  // Takes connections, and answers nothing.
  const asked = new Promise<void>((resolve) => frozen.once('connection', () => resolve()));
  frozen.listen(0, '127.0.0.1');
  await once(frozen, 'listening');
  const { port } = addressSchema.parse(frozen.address());
  const worker = start({}, { appliances: [{ id: 'a1', control: { port }, nbd: { port: 1 } }] });
  await worker.ready;
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection, namespace: temporal.namespace });
  const handle = await client.workflow.start('moveVolume', {
    taskQueue: TASK_QUEUE,
    workflowId: randomUUID(),
    args: [{ volume: 'v1', to: 'g1' }],
  });
  await asked;
  // Before that the step was a local activity, which is no worker's but this one's.
  await untilTrue('the step runs', PATIENCE_MS, async () => {
    const [running] = (await handle.describe()).raw.pendingActivities ?? [];
    return (running?.lastStartedTime ?? undefined) !== undefined;
  });
  const { url } = await worker.ready;
  worker.child.kill('SIGTERM');
  // It gives the step two seconds, in which it lives, and takes no more work.
  await untilTrue('it says that it drains', PATIENCE_MS, async () => isDeepStrictEqual(await statusesOf(url), UNREADY));
  expect(await worker.exitCode).toBe(0);
  // The call was given up, not waited for until its own time limit.
  const { raw } = await handle.describe();
  const [step] = raw.pendingActivities ?? [];
  expect(step?.activityType?.name).toBe('ticketFloor');
  expect(step?.lastFailure?.message).not.toContain('no answer within');
  await handle.terminate();
  await connection.close();
});

test('registers the search attributes in a namespace that does not have them', async () => {
  const namespace = await createNamespace(temporal.address);
  await start({ TEMPORAL_NAMESPACE: namespace }).ready;
  expect(await attributesOf(namespace)).toMatchObject({
    Volumes: 7,
    FromGroup: 2,
    ToGroup: 2,
    Stage: 2,
    Outcome: 2,
    BatchId: 2,
  });
  const again = start({ TEMPORAL_NAMESPACE: namespace });
  await again.ready;
  expect(again.log()).not.toContain('search attributes registered');
});

test('ends with the command that registers them when the server does not let it', async () => {
  const namespace = await createNamespace(temporal.address);
  // A dev server has ten places for keywords in a namespace; three are left for the five that are
  // missing.
  const taken = ['Stage', ...Array.from({ length: 6 }, (_, i) => `Other${i}`)];
  await withOperator(async ({ operatorService }) =>
    operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(taken.map((name) => [name, KEYWORD])),
    }),
  );
  const worker = start({ TEMPORAL_NAMESPACE: namespace });
  expect(await worker.exitCode).toBe(1);
  expect(worker.log()).toContain(
    `temporal operator search-attribute create --address ${temporal.address} --namespace ${namespace} ` +
      '--name Volumes --type KeywordList --name FromGroup --type Keyword --name ToGroup --type Keyword ' +
      '--name Outcome --type Keyword --name BatchId --type Keyword',
  );
});

test('ends with a sentence when a search attribute has another type', async () => {
  const namespace = await createNamespace(temporal.address);
  await withOperator(async ({ operatorService }) =>
    operatorService.addSearchAttributes({ namespace, searchAttributes: { Volumes: KEYWORD } }),
  );
  const worker = start({ TEMPORAL_NAMESPACE: namespace });
  expect(await worker.exitCode).toBe(1);
  expect(worker.log()).toContain('has the search attributes Volumes with another type than volume-mover needs');
});

test('ends when its parent is gone, if told so', async () => {
  const worker = start({ VOLUME_MOVER_EXIT_WITH_PARENT: '1' });
  await worker.ready;
  worker.child.stdin.end();
  expect(await worker.exitCode).toBe(0);
});

test('waits for a Temporal server that is not there yet, says so, and can be stopped meanwhile', async () => {
  const port = await unusedPort();
  const worker = start({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
  await expect
    .poll(() => worker.log(), { timeout: PATIENCE_MS })
    .toContain(`Temporal at 127.0.0.1:${port} does not answer yet`);
  worker.child.kill('SIGTERM');
  expect(await worker.exitCode).toBe(0);
});

test('answers for its health while it waits for Temporal', async () => {
  const port = await unusedPort();
  const health = await unusedPort();
  start({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` }, { worker: { health: { port: health } } });
  const ask = async (): Promise<unknown> => (await fetch(`http://127.0.0.1:${health}/healthz`)).json();
  await expect
    .poll(async () => ask().catch(() => undefined), { timeout: PATIENCE_MS })
    .toMatchObject({
      status: 'degraded',
      notes: [`Temporal at 127.0.0.1:${port} has not answered yet.`, 'The worker takes no work: it is starting.'],
    });
  expect(await statusesOf(`http://127.0.0.1:${health}`)).toEqual(UNREADY);
});

test('is unready while Temporal is away, and ready again when it is back, without a restart', async () => {
  const detour = await TcpDetour.to(temporal.address);
  try {
    const worker = start({ TEMPORAL_ADDRESS: detour.address });
    const { url } = await worker.ready;
    const becomes = async (wanted: typeof SERVES): Promise<void> =>
      untilTrue(`its probes say ${JSON.stringify(wanted)}`, PATIENCE_MS, async () =>
        isDeepStrictEqual(await statusesOf(url), wanted),
      );
    await becomes(SERVES);
    detour.close();
    await becomes(UNREADY);
    const { reasons } = readinessSchema.parse(await (await fetch(`${url}/readyz`)).json());
    // What anybody may read names no address.
    expect(reasons).toEqual(['Temporal does not answer.']);
    detour.open();
    await becomes(SERVES);
  } finally {
    detour.stop();
  }
});

test('ends at once with a sentence when its estate file is wrong', async () => {
  const worker = start({}, { groups: [{ id: 'g1', appliance: 'a2' }] });
  expect(await worker.exitCode).toBe(2);
  expect(worker.log()).toContain('there is no appliance \\"a2\\"');
});

test('ends with a sentence when its health port is taken', async () => {
  const other = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const worker = start({}, { worker: { health: { port } } });
  expect(await worker.exitCode).toBe(1);
  expect(worker.log()).toContain(`can't answer for its health at 127.0.0.1:${port}`);
  expect(worker.log()).toContain('EADDRINUSE');
  expect(worker.log()).toContain('VOLUME_MOVER_HEALTH (--health); port 0 takes a free one');
  other.close();
});

test('several run on one host, each with an address of its own for its health', async () => {
  const port = await unusedPort();
  const estate = { worker: { health: { port } } };
  const workers = [
    start({}, estate),
    start({ VOLUME_MOVER_HEALTH: '127.0.0.1:0' }, estate, ['--id', 'w2']),
    start({ VOLUME_MOVER_HEALTH: `127.0.0.1:${port}` }, estate, ['--id', 'w3', '--health', '127.0.0.1:0']),
  ];
  const ready = await Promise.all(workers.map((worker) => worker.ready));
  expect(ready.map(({ id }) => id)).toEqual(['w1', 'w2', 'w3']);
  expect(ready[0]?.url).toBe(`http://127.0.0.1:${port}`);
  for (const { id, url } of ready)
    expect(await (await fetch(`${url}/healthz`)).json()).toMatchObject({ status: 'ok', id });
});

test('polls the task queue of its settings, on which clients of the same estate start their moves', async () => {
  const taskQueue = `moves-${randomUUID()}`;
  const worker = start({}, { worker: { health: { port: 0 }, taskQueue } });
  await worker.ready;
  expect(worker.log()).toContain(`"taskQueue":"${taskQueue}"`);
  const mover = createMoverClient({
    estate: readEstateFile(join(folder, 'estate.json')),
    environment: { TEMPORAL_ADDRESS: temporal.address },
  });
  try {
    const { moveId } = await mover.moves.start({ volume: 'v1', to: 'g9' });
    // The worker has it: it asks the appliance, which is not there.
    await untilTrue('a step of the move has failed', PATIENCE_MS, async () => {
      const { progress } = await mover.moves.get(moveId);
      return progress !== undefined;
    });
    await mover.moves.cancel(moveId);
  } finally {
    await mover.close();
  }
});

test('ends at once with every mistake in its settings, from flags, variables and files', async () => {
  const worker = start({ VOLUME_MOVER_WORKFLOW_SLOTS: 'many', TEMPORAL_TLS: 'on', VOLUME_MOVER_HEALTH: 'here' }, {}, [
    '--activity-slots',
    '0',
    '--log-level',
    'loud',
    '--address',
    'https://temporal',
  ]);
  // The command line's code for what no further try mends.
  expect(await worker.exitCode).toBe(2);
  for (const part of [
    'VOLUME_MOVER_WORKFLOW_SLOTS (--workflow-slots): a whole number',
    'VOLUME_MOVER_ACTIVITY_SLOTS (--activity-slots): a whole number',
    'VOLUME_MOVER_LOG_LEVEL: ',
    'VOLUME_MOVER_HEALTH: host:port',
    'TEMPORAL_TLS: ',
    'TEMPORAL_ADDRESS: ',
  ])
    expect(worker.log()).toContain(part);
});

/** Status codes of the probes of a worker that takes work, and of one that lives and takes none. */
const SERVES = { '/livez': 200, '/readyz': 200, '/healthz': 200 };
const UNREADY = { '/livez': 200, '/readyz': 503, '/healthz': 503 };

async function statusesOf(url: string): Promise<Record<string, number>> {
  const asked = Object.keys(SERVES).map(async (path) => [path, (await fetch(`${url}${path}`)).status] as const);
  return Object.fromEntries(await Promise.all(asked));
}

/** The type's number in the server's API. */
const KEYWORD = 2;

async function withOperator<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

async function attributesOf(namespace: string): Promise<Record<string, unknown>> {
  return withOperator(async ({ operatorService }) => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return customAttributes;
  });
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
