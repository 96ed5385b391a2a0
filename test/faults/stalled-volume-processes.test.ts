// A volume that stalls at the replica site while its neighbour is moved by a real workflow: real
// processes, guests that write on.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { controlUrl } from '../../contracts/estate.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { createApiClient } from '../../control/client.js';
import { compareExports } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { runCommand } from '../support/cli.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { type EstateFixture, startEstate } from '../integration/estate-fixture.js';

const STALLED = 'vm-1-disk-0';
/** A volume of the same group on the same host: its writes share the stream. */
const MOVED = 'vm-1-disk-1';

let fixture: EstateFixture;
let client: MoverClient;
const guests: Guest[] = [];

beforeAll(async () => {
  fixture = await startEstate({ withWorker: true, environment: { VOLUME_MOVER_UNAPPLIED_MIB: '2' } });
  client = createMoverClient({ estate: fixture.running.estate, environment: {} });
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  for (const volume of [STALLED, MOVED]) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(`seed ${seed}`);
    guests.push(await startGuest({ address, volume, seed, writesPerSecond: 400 }));
  }
});

afterAll(async () => {
  for (const guest of guests) await guest.abandon();
  await client.close();
  await fixture.stop();
});

test('a move goes through while another volume on the same stream stalls, which is named everywhere and goes on after it', async () => {
  const { estate, estateFile } = fixture.running;
  const site = createApiClient(replicaSiteApi, { baseUrl: controlUrl(estate.replicaSite.control) });
  const stalled = volumeIdSchema.parse(STALLED);
  const viewOf = async (volume: string) =>
    (await client.volumes.list()).find((candidate) => candidate.volume === volume)?.splitterView;
  await site.setDistribution({ volume: stalled, paused: true });
  await until('the stall', PATIENCE_MS, async () => (await viewOf(STALLED))?.stalled);
  const { stdout } = await runCommand({ VOLUME_MOVER_ESTATE: estateFile }, ['volumes']);
  expect(stdout).toMatch(new RegExp(`${STALLED} .*, stalled`));
  expect((await site.health({})).notes).toContainEqual(
    expect.stringContaining(`No write of volume "${STALLED}" has been accepted`),
  );

  const late = await client.moves.start({ volume: STALLED, to: 'cg-silver', options: { lagWaitMs: 100 } });
  const refused = await until('the refusal', PATIENCE_MS, async () => (await client.moves.get(late.moveId)).error);
  expect(refused).toMatchObject({
    code: 'LAG_TOO_LARGE',
    message: expect.stringContaining(`${STALLED} is stalled: the replica site accepts no writes of it`) as string,
  });

  const { moveId } = await client.moves.start({ volume: MOVED, to: 'cg-silver' });
  const report = await until('the end of the move', PATIENCE_MS, async () => (await client.moves.get(moveId)).report);
  expect(report).toMatchObject({ outcome: 'moved', abortedAttempts: [] });
  expect((await viewOf(STALLED))?.stalled).toBeDefined();

  await site.setDistribution({ volume: stalled, paused: false });
  for (const guest of guests) await guest.stop();
  for (const [volume, appliance] of [
    [STALLED, 'appliance-1'],
    [MOVED, 'appliance-2'],
  ] as const) {
    await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
    const source = { address: await nbdAddressOf(fixture.running.process('host-1')), name: volume };
    const replica = { address: await nbdAddressOf(fixture.running.process(appliance)), name: `${volume}@latest` };
    expect(await compareExports(source, replica)).toMatchObject({ differentBytes: 0 });
  }
  expect((await viewOf(STALLED))?.notes).toEqual([]);
  // Its RPO is what it should be from the next point on.
  await expect.poll(async () => (await site.health({})).notes, { timeout: PATIENCE_MS }).toEqual([]);
});
