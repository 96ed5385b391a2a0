// Launching an estate: real processes that keep ports and data over restarts, report their deaths
// and leave nothing behind.
import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { readEstateFile } from '../../client/estate-file.js';
import { compareExports, withExport } from '../../estate/compare.js';
import { startGuest } from '../../estate/guest/guest.js';
import { verifyFinal } from '../../estate/guest/verify.js';
import { launchEstate } from '../../estate/launch.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { type EstateFixture, smallEstate, startEstate } from './estate-fixture.js';
import { PATIENCE_MS } from '../support/until.js';

let fixture: EstateFixture;
let client: MoverClient;
beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  client = createMoverClient({ estate: fixture.running.estate });
});
afterAll(async () => fixture.stop());

const volume = 'vm-1-disk-0';

test('the estate file in the data folder has the ports in use', async () => {
  const { running } = fixture;
  expect(readEstateFile(running.estateFile)).toEqual(running.estate);
  const ready = await running.process('host-1').waitReady();
  expect(ready.url).toBe(`http://127.0.0.1:${running.estate.splitters[0]?.control.port}`);
  expect(ready.nbd?.port).toBe(running.estate.splitters[0]?.nbd.port);
});

test('a guest outlives kill -9 of its splitter, and every acknowledged write is at both sites', async () => {
  const splitter = fixture.running.process('host-1');
  const before = await splitter.waitReady();
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const guest = await startGuest({ address: await nbdAddressOf(splitter), volume, seed, writesPerSecond: 500 });
  await expect.poll(() => guest.log.acknowledged, { timeout: PATIENCE_MS }).toBeGreaterThan(200);
  await splitter.kill('SIGKILL');
  expect(await splitter.start()).toEqual(before);
  const atRestart = guest.log.acknowledged;
  await expect.poll(() => guest.log.acknowledged, { timeout: PATIENCE_MS }).toBeGreaterThan(atRestart + 200);
  await guest.stop();
  expect(guest.reconnections).toBeGreaterThan(0);
  expect(guest.log.acknowledged).toBe(guest.log.issued);

  await waitUntilQuiet(client, { volume, timeoutMs: PATIENCE_MS });
  const source = { address: await nbdAddressOf(splitter), name: volume };
  const replica = {
    address: await nbdAddressOf(fixture.running.process('appliance-1')),
    name: `${volume}@latest`,
  };
  const found = await withExport(source, async (disk) => verifyFinal(readAhead(disk), seed, guest.log));
  expect(found.described).toEqual([]);
  expect(await compareExports(source, replica)).toMatchObject({ differentBytes: 0 });
});

test('a process that is ended on purpose is no failure of the estate; one that dies is, with the end of its log', async () => {
  const { running } = fixture;
  const appliance = running.process('appliance-2');
  await appliance.restart();
  const { pid } = appliance;
  if (pid === undefined) throw new Error('The appliance does not run.');
  process.kill(pid, 'SIGKILL');
  await expect(running.failed).rejects.toThrow(/appliance-2 .* ended with SIGKILL[\s\S]*"msg":"ready"/);
  expect(appliance.isAlive).toBe(false);
  await appliance.start();
});

test('a port that is taken is named with who wants it, and nothing is started', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const estate = smallEstate();
  const [appliance] = estate.appliances;
  if (appliance === undefined) throw new Error('The estate has an appliance.');
  appliance.nbd.port = port;
  const launching = launchEstate({ estate, dataDirectory: fixture.folder, log: () => undefined });
  await expect(launching).rejects.toThrow(`port ${port} is taken, and it is needed by appliance appliance-1 for NBD`);
  other.close();
});

test('after the stop every process is gone', async () => {
  const { running } = fixture;
  const pids = running.processes.map(({ pid }) => pid);
  expect(pids).not.toContain(undefined);
  await running.stop();
  for (const pid of pids) expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH');
});
