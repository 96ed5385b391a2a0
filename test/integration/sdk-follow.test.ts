// The SDK's siblings on a real estate: listed alike, followed through an outage of the way to
// Temporal, and cheap to follow while nothing changes.
import { Client, Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Move } from '../../client/moves/move-client.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { applianceIdSchema, groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { createHttpPorts } from '../../control/http-ports.js';
import { applianceOf } from '../../control/ports.js';
import { lastOf } from '../support/last-of.js';
import { TcpDetour } from '../support/tcp-detour.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const GOLD = groupIdSchema.parse('cg-gold');
const SILVER = groupIdSchema.parse('cg-silver');
const FIRST = volumeIdSchema.parse('vm-1-disk-0');
const SECOND = volumeIdSchema.parse('vm-1-disk-1');

/** What was asked of Temporal. */
const asked = { describe: 0, query: 0, failed: 0 };
const counting: WorkflowClientInterceptor = {
  describe: async (input, next) => {
    asked.describe += 1;
    try {
      return await next(input);
    } catch (error) {
      asked.failed += 1;
      throw error;
    }
  },
  query: async (input, next) => {
    asked.query += 1;
    return await next(input);
  },
};

let fixture: EstateFixture;
/** The way from this client to Temporal. */
let way: TcpDetour;
let connection: Connection;
let temporal: Client;
let client: MoverClient;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true });
  way = await TcpDetour.to(fixture.temporalAddress);
  // By default a connection tries a call ten times, for 18 s, before anybody hears of an outage.
  connection = await Connection.connect({ address: way.address, interceptors: [] });
  temporal = new Client({ connection, interceptors: { workflow: [counting] } });
  const { estate } = fixture.running;
  client = createMoverClient({ estate, temporal: { client: temporal, uiUrl: undefined } });
});

afterAll(async () => {
  await client.close();
  await connection.close();
  way.stop();
  await fixture.stop();
});

async function setLink(cut: boolean): Promise<void> {
  const { calls } = applianceOf(createHttpPorts(fixture.running.estate), applianceIdSchema.parse('appliance-1'));
  await calls.setLink({ cut });
}

test('a move that waits is asked for its progress once; looks go on', async () => {
  await setLink(true);
  const { moveId } = await client.moves.start({ volume: FIRST, to: SILVER });
  const moves = client.moves.follow(moveId);
  // Its first step is tried again and again, which leaves nothing in its history.
  for await (const { progress } of { [Symbol.asyncIterator]: () => ({ next: async () => moves.next() }) })
    if (progress?.stage === 'notify') break;
  const before = { ...asked };
  const ended = lastOf(moves);
  await untilTrue('eight looks', PATIENCE_MS, async () => asked.describe - before.describe >= 8);
  expect(asked.query - before.query).toBeLessThanOrEqual(1);
  await setLink(false);
  expect(await ended).toMatchObject({ state: 'moved', moveId });
});

test('following goes on through an outage of the way to Temporal, or gives up when it may last no longer', async () => {
  await setLink(true);
  const { moveId } = await client.moves.start({ volume: SECOND, to: SILVER });
  const patient = client.moves.follow(moveId);
  const hasty = client.moves.follow(moveId, { outageMsMax: 500 });
  await Promise.all([patient.next(), hasty.next()]);
  const ended = lastOf(patient);
  const refused = lastOf(hasty).catch((error: unknown) => error);
  const { failed } = asked;
  way.close();
  await untilTrue('two looks that fail', PATIENCE_MS, async () => asked.failed - failed >= 2);
  expect(await refused).toMatchObject({ code: 'UNREACHABLE' });
  way.open();
  await setLink(false);
  expect(await ended).toMatchObject({ state: 'moved', moveId });
});

test('a cancelled move ends as it was before', async () => {
  await setLink(true);
  const { moveId } = await client.moves.start({ volume: FIRST, to: GOLD });
  await client.moves.cancel(moveId);
  const ended = lastOf(client.moves.follow(moveId));
  await setLink(false);
  expect(await ended).toMatchObject({ state: 'cancelled' });
});

test('moves, verifications and batches are listed alike, and each by its state', async () => {
  const same = await lastOf(
    client.verifications.follow((await client.verifications.start({ volume: FIRST })).verificationId),
  );
  const batch = await client.batches.start({ moves: [{ volume: FIRST, to: GOLD }] });
  expect(await lastOf(client.batches.follow(batch.batchId))).toMatchObject({ state: 'complete' });
  const dead = await client.moves.start({ volume: FIRST, to: GOLD }, { workflowId: 'goes-nowhere' });
  expect(await lastOf(client.moves.follow(dead.moveId))).toMatchObject({ state: 'failed' });
  // Visibility comes a little later than what happens.
  await untilTrue('all are listed as ended', PATIENCE_MS, async () => {
    const running = await Promise.all([
      client.moves.list({ state: 'running' }),
      client.batches.list({ state: 'running' }),
    ]);
    return running.flat().length === 0 && (await client.moves.list()).length === 5;
  });
  expect(await client.moves.list({ state: 'cancelled' })).toMatchObject([{ volumes: [FIRST], to: GOLD }]);
  expect(await client.moves.list({ state: 'failed' })).toMatchObject([{ moveId: dead.moveId, state: 'failed' }]);
  const moved = await client.moves.list({ state: 'moved', limit: 2 });
  expect(moved).toMatchObject([
    { volumes: [FIRST], from: SILVER, to: GOLD, state: 'moved' },
    { volumes: [SECOND], from: GOLD, to: SILVER, state: 'moved' },
  ]);
  expect(await client.verifications.list({ state: 'same' })).toMatchObject([
    { verificationId: same.verificationId, volume: FIRST, state: 'same' },
  ]);
  expect(await client.verifications.list({ state: 'different' })).toEqual([]);
  expect(await client.verifications.list()).toHaveLength(1);
  expect(await client.batches.list({ state: 'complete' })).toMatchObject([{ batchId: batch.batchId }]);
  const refused = { code: 'INVALID_REQUEST' };
  await expect(client.moves.list({ limit: 0 })).rejects.toMatchObject(refused);
  await expect(client.verifications.list({ limit: 1_001 })).rejects.toMatchObject(refused);
});

test('each sibling knows its own kind, says so by its own code, and cancels what has ended without a word', async () => {
  const [move] = await client.moves.list({ state: 'moved', limit: 1 });
  const ids = [move?.moveId ?? '', 'no-such-thing'];
  for (const id of ids) {
    await expect(client.verifications.get(id)).rejects.toMatchObject({ code: 'VERIFICATION_NOT_FOUND' });
    await expect(client.batches.get(id)).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
    for (const call of ['cancel', 'get'] as const) {
      await expect(client.verifications[call](id)).rejects.toMatchObject({ code: 'VERIFICATION_NOT_FOUND' });
      await expect(client.batches[call](id)).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
    }
    await expect(lastOf(client.batches.follow(id))).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
  }
  await expect(client.moves.cancel('no-such-thing')).rejects.toMatchObject({ code: 'MOVE_NOT_FOUND' });
  await client.moves.cancel(move?.moveId ?? '');
  const ended: Move = await client.moves.get(move?.moveId ?? '');
  expect(ended.state).toBe('moved');
});

async function isAskedToStop(workflowId: string): Promise<boolean> {
  const { events } = await temporal.workflow.getHandle(workflowId).fetchHistory();
  return events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes) ?? false;
}

test('a batch is cancelled as a move is: what is before its commit is put back', async () => {
  await setLink(true);
  const { batchId } = await client.batches.start({ moves: [{ volume: SECOND, to: GOLD }] });
  const isMoving = async (): Promise<boolean> => (await client.batches.get(batchId)).progress?.counts.running === 1;
  await untilTrue('its move runs', PATIENCE_MS, isMoving);
  const [move] = await client.moves.list({ state: 'running', volume: SECOND });
  if (move === undefined) throw new Error('The move of the batch is listed.');
  await client.batches.cancel(batchId);
  const ended = lastOf(client.batches.follow(batchId));
  // A move that may go on before it hears of the cancellation could be committed by then.
  await untilTrue('the move is asked to stop', PATIENCE_MS, async () => isAskedToStop(move.workflowId));
  await setLink(false);
  expect(await ended).toMatchObject({ state: 'cancelled' });
  expect(await client.volumes.list({ namePattern: SECOND })).toMatchObject([{ volume: SECOND, group: SILVER }]);
});
