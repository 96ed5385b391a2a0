// With a codec, nothing that Temporal keeps can be read: names, reasons and people are looked for
// in the file of its database, after everything that people do.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/index.js';
import { locateTemporal } from '../../estate/temporal/locate.js';
import { DEV_NAMESPACE, startTemporal, type TemporalDevServer } from '../../estate/temporal/server.js';
import { estateOf, TestEstate } from '../support/test-estate.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';

const GROUPS = {
  'payroll-gold': { appliance: 'appliance-1', volumes: ['payroll-db-1', 'payroll-db-2', 'payroll-db-3'] },
  'payroll-silver': { appliance: 'appliance-2', volumes: ['payroll-web-1'] },
};
const PERSON = { operator: 'mallory-mole', reason: 'quarterly-figures' };
/** What must not be found. */
const SECRETS = ['payroll', 'mallory', 'quarterly'];

let folder: string;
let temporal: TemporalDevServer;
let estate: TestEstate;
let mover: MoverClient;
let codec: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vm-encryption-'));
  const keys = join(folder, 'keys.json');
  await writeFile(keys, JSON.stringify({ keys: [{ id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }] }));
  const located = await locateTemporal({
    log: () => undefined,
    env: { ...process.env, TEMPORAL_ADDRESS: '', TEMPORAL_PROFILE: '' },
  });
  if (located.kind !== 'executable') throw new Error('There is no server of our own.');
  temporal = await startTemporal({
    executable: located.path,
    databaseFile: join(folder, 'temporal.db'),
    log: () => undefined,
  });
  const { address } = temporal;
  codec = { VOLUME_MOVER_CODEC: 'aes-gcm', VOLUME_MOVER_CODEC_KEYS_FILE: keys };
  estate = await TestEstate.start({
    estate: estateOf({ groups: GROUPS, sizeMiB: 4 }),
    temporal: { address, namespace: DEV_NAMESPACE },
    environment: codec,
  });
  mover = clientWith(codec);
});

afterAll(async () => {
  await mover.close();
  await estate.stop();
  await temporal.stop();
  await rm(folder, { recursive: true, force: true });
});

function clientWith(environment: Record<string, string>): MoverClient {
  return createMoverClient({
    estate: estate.running.estate,
    environment: { ...environment, TEMPORAL_ADDRESS: temporal.address },
  });
}

/** The secrets that stand in the database's files. */
function readable(): string[] {
  const files = ['temporal.db', 'temporal.db-wal'].map((name) => join(folder, name)).filter((path) => existsSync(path));
  const kept = files.map((path) => readFileSync(path, 'latin1')).join('\n');
  expect(kept).toContain('moveVolume');
  return SECRETS.filter((secret) => kept.includes(secret));
}

async function endOf(id: string): Promise<string> {
  let state = 'running';
  for await (const move of mover.moves.follow(id)) ({ state } = move);
  return state;
}

test('names, reasons and people are nowhere in the database, and are there for who has the key', async () => {
  // A move that is made, one that is refused, and one that a person aborts.
  const made = await mover.moves.start({ volume: 'payroll-db-1', to: 'payroll-silver', ...PERSON });
  expect(await endOf(made.moveId)).toBe('moved');
  const refused = await mover.moves.start({ volume: 'payroll-none', to: 'payroll-silver' });
  expect(await endOf(refused.moveId)).toBe('failed');
  expect((await mover.moves.get(refused.moveId)).error?.message).toContain('payroll-none');
  const aborted = await mover.moves.start({ volume: 'payroll-db-2', to: 'payroll-silver', cutover: 'manual' });
  await untilTrue('it stands by', PATIENCE_MS, async () => {
    const { progress } = await mover.moves.get(aborted.moveId);
    return progress?.stage === 'ready';
  });
  await mover.moves.abort(aborted.moveId, PERSON);
  expect(await endOf(aborted.moveId)).toBe('failed');

  // A batch, with moves of its own, and a verification.
  const { batchId } = await mover.batches.start({
    select: { from: 'payroll-gold' },
    to: 'payroll-silver',
    ...PERSON,
  });
  let batch = await mover.batches.get(batchId);
  for await (const next of mover.batches.follow(batchId)) batch = next;
  expect(batch.report).toMatchObject({ outcome: 'complete' });
  const { verificationId } = await mover.verifications.start({ volume: 'payroll-db-1' });
  let verified = await mover.verifications.get(verificationId);
  for await (const next of mover.verifications.follow(verificationId)) verified = next;
  expect(verified.state).toBe('same');

  // A schedule with a note.
  await mover.schedules.create({
    name: 'nightly',
    batch: { select: { from: 'payroll-silver' }, to: 'payroll-gold', ...PERSON },
    cron: '0 1 * * *',
    timeZone: 'UTC',
    note: 'for payroll',
  });
  await mover.schedules.pause('nightly', PERSON);

  expect(readable()).toEqual([]);

  // Who has the key finds the names where people look.
  const listed = await mover.moves.list();
  expect(listed.find(({ moveId }) => moveId === made.moveId)).toMatchObject({
    volumes: ['payroll-db-1'],
    to: 'payroll-silver',
    state: 'moved',
  });
  await expect(mover.moves.list({ volume: 'payroll-db-1' })).rejects.toThrow("Moves can't be searched by volume");
  await expect(mover.moves.list({ group: 'payroll-gold' })).rejects.toThrow("Moves can't be searched by group");
  expect((await mover.schedules.get('nightly')).action.input).toMatchObject({ to: 'payroll-gold' });
});
