// A worker that lacks the codec of those who start moves: it must refuse nothing for good that it
// only can't read.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { AesGcmCodec } from '../../control/codec/aes-gcm.js';
import { watchKeys } from '../../control/codec/keys-file.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { Moves } from './support/moves.js';

let moves: Moves;
let folder: string;
let connection: Connection;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vm-codec-'));
  connection = await Connection.connect({ address: inject('temporalAddress') });
  moves = await Moves.start({ workers: 0 });
});
afterEach(async () => {
  await moves.stop();
  await connection.close();
  rmSync(folder, { recursive: true });
});

test('the move waits, its workflow task says why, and a worker with the codec makes it', async () => {
  const path = join(folder, 'keys.json');
  writeFileSync(path, JSON.stringify({ keys: [{ id: 'k', key: Buffer.alloc(32, 3).toString('base64') }] }));
  const codec = new AesGcmCodec(watchKeys(path));
  const client = new Client({
    connection,
    namespace: inject('temporalNamespace'),
    dataConverter: { payloadCodecs: [codec] },
  });
  const without = await moves.startWorker('without');
  const handle = await client.workflow.start('moveVolume', {
    taskQueue: moves.taskQueue,
    workflowId: `encrypted-${randomUUID()}`,
    args: [{ volume: 's0v0', to: 'g2' }],
  });
  const messages = async (): Promise<string[]> => {
    const { events } = await handle.fetchHistory();
    return (events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? []);
  };
  await untilTrue('the task has failed', PATIENCE_MS, async () => (await messages()).length > 0);
  expect((await messages())[0]).toContain('this worker has no codec for it. Nothing is lost: set VOLUME_MOVER_CODEC');
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await without.stop();
  await moves.startWorker('with', codec);
  expect(await handle.result()).toMatchObject({ to: { group: 'g2' } });
  await moves.live.checkPromises();
});
