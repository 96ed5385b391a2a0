// An estate in which every process has a certificate of its own, and callers have the roles that
// they need and no more: guests write, a volume moves, and the audit says who did it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { auditEntrySchema } from '../../contracts/audit.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { controlUrl, type Estate } from '../../contracts/estate.js';
import { createApiClient } from '../../control/client.js';
import { readCredentials } from '../../control/credentials.js';
import { startGuest } from '../../estate/guest/guest.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { Authority } from '../support/authority.js';
import { type Ran, runCommand } from '../support/cli.js';
import { type EstateFixture, smallEstate, startEstate } from '../integration/estate-fixture.js';
import { PATIENCE_MS } from '../support/until.js';

const VOLUME = 'vm-1-disk-0';
/** What each caller may do, by the name in its certificate. */
const ROLES = {
  worker: ['move'],
  'host-1': ['replicate'],
  // At the replica site, which knows the same callers, an appliance needs every role.
  'appliance-1': ['admin'],
  'appliance-2': ['admin'],
  reader: ['read'],
  operator: ['operate'],
  boss: ['admin'],
} as const;
type Name = keyof typeof ROLES;

let folder: string;
let fixture: EstateFixture;
let environmentOf: (name: string) => Record<string, string>;
let writeCallers: (without?: Name) => Promise<void>;

function withTls(estate: Estate): Estate {
  const tls = <L extends { readonly port: number }>(listen: L): L & { readonly tls: true } => ({
    ...listen,
    tls: true,
  });
  return {
    ...estate,
    replicaSite: { control: tls(estate.replicaSite.control) },
    appliances: estate.appliances.map((appliance) => ({ ...appliance, control: tls(appliance.control) })),
    splitters: estate.splitters.map((splitter) => ({ ...splitter, control: tls(splitter.control) })),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'who-may-'));
  const authority = new Authority(folder);
  const callers = join(folder, 'callers.json');
  writeCallers = async (without) => {
    const listed = Object.entries(ROLES).filter(([name]) => name !== without);
    const entries = listed.map(([name, roles]) => ({ name, roles, certificate: `${name}.example` }));
    await writeFile(callers, JSON.stringify({ callers: entries }));
  };
  await writeCallers();
  const issued = new Map([...Object.keys(ROLES), 'replica-site'].map((name) => [name, authority.issue(name)]));
  environmentOf = (name) => {
    const { cert, key } = issued.get(name) ?? { cert: '', key: '' };
    return {
      VOLUME_MOVER_CALLERS_FILE: callers,
      VOLUME_MOVER_TLS_CA_FILE: authority.path,
      VOLUME_MOVER_TLS_CERT_FILE: cert,
      VOLUME_MOVER_TLS_KEY_FILE: key,
    };
  };
  fixture = await startEstate({ withWorker: true, estate: withTls(smallEstate()), environmentFor: environmentOf });
});
afterAll(async () => {
  await fixture.stop();
  await rm(folder, { recursive: true });
});

function clientOf(name: Name): MoverClient {
  return createMoverClient({
    estate: fixture.running.estate,
    credentials: readCredentials(environmentOf(name)),
    environment: {},
  });
}

async function cli(name: Name, ...words: string[]): Promise<Ran> {
  return runCommand({ ...environmentOf(name), VOLUME_MOVER_ESTATE: fixture.running.estateFile }, words);
}

const auditSchema = z.object({
  entries: z.array(auditEntrySchema.extend({ process: z.string() })),
  unreachable: z.array(z.string()),
});

async function audit(): Promise<z.output<typeof auditSchema>['entries']> {
  const { exitCode, stdout } = await cli('boss', 'audit', '--json');
  expect(exitCode).toBe(EXIT.ok);
  const { entries, unreachable } = auditSchema.parse(JSON.parse(stdout));
  expect(unreachable).toEqual([]);
  return entries;
}

test('a volume moves while its guest writes, each process with its own role alone', async () => {
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  const guest = await startGuest({ address, volume: VOLUME, seed: 7, writesPerSecond: 200 });
  try {
    const moved = await cli('operator', 'move', VOLUME, '--to', 'cg-silver', '--verify');
    expect(moved, moved.stderr).toMatchObject({ exitCode: EXIT.ok });
    expect(guest.log.acknowledged).toBeGreaterThan(0);
  } finally {
    await guest.stop();
  }
  const client = clientOf('reader');
  await waitUntilQuiet(client, { volume: VOLUME, timeoutMs: 30_000 });
  await client.close();

  const steps = (await audit()).filter(({ caller }) => caller === 'worker').map(({ operation }) => operation);
  for (const step of ['open', 'notify', 'fence', 'seal', 'bookmark', 'adopt', 'learn', 'join'])
    expect(steps).toContain(step);
  const adopted = (await audit()).filter(({ operation }) => operation === 'adopt');
  // The appliance that was asked, and the site to which it passed the call on.
  expect(adopted.map(({ process, caller, outcome }) => [process, caller, outcome])).toEqual([
    ['appliance appliance-2', 'worker', 'OK'],
    ['replica site replica-site', 'appliance-2', 'OK'],
  ]);
  expect(adopted[0]?.about['attempt']).toMatch(/^move-vm-1-disk-0-to-cg-silver.*#1$/);
});

test('a person does what the role allows, and is refused the rest with exit code 3', async () => {
  const bookmarked = await cli('operator', 'bookmark', 'cg-gold', 'before the upgrade');
  expect(bookmarked, bookmarked.stderr).toMatchObject({ exitCode: EXIT.ok });
  const image = join(folder, 'disk.img');
  const recovered = await cli('operator', 'recover', 'vm-1-disk-1', '--to', image);
  expect(recovered, recovered.stderr).toMatchObject({ exitCode: EXIT.ok });

  const refused = await cli('reader', 'bookmark', 'cg-gold', 'mine');
  expect(refused).toMatchObject({ exitCode: EXIT.refused });
  expect(refused.stderr).toContain(
    'reader may not call closePoint of the appliance appliance-1: that takes the role operate, and reader has read.',
  );
  expect((await cli('operator', 'audit')).exitCode).toBe(EXIT.refused);
  expect((await cli('operator', 'source', 'accept', VOLUME)).exitCode).toBe(EXIT.refused);
  expect((await cli('reader', 'points', 'cg-gold')).exitCode).toBe(EXIT.ok);

  const entries = await audit();
  const closed = entries.filter(({ operation }) => operation === 'closePoint');
  expect(closed.map(({ caller, outcome, about }) => [caller, outcome, about['bookmark']])).toEqual([
    ['reader', 'FORBIDDEN', undefined],
    ['operator', 'OK', 'before the upgrade'],
  ]);
  const table = await cli('boss', 'audit', '--since', '-1h');
  expect(table.stdout).toMatch(/^TIME +PROCESS +WHO +FROM +OPERATION +OUTCOME +ABOUT\n/);
  expect(table.stdout).toMatch(/splitter host-1 +operator +127\.0\.0\.1 +decideSource +FORBIDDEN/);
});

test('without a certificate or with one of no caller nobody gets in, and the audit has it', async () => {
  const { VOLUME_MOVER_TLS_CERT_FILE: _cert, VOLUME_MOVER_TLS_KEY_FILE: _key, ...bare } = environmentOf('reader');
  const [appliance] = fixture.running.estate.appliances;
  if (appliance === undefined) throw new Error('The estate has an appliance.');
  const baseUrl = controlUrl(appliance.control);
  expect(baseUrl).toMatch(/^https:/);
  const stranger = createApiClient(applianceApi, { baseUrl, credentials: readCredentials(bare) });
  await expect(stranger.siteVolumes({})).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  await expect(stranger.health({})).resolves.toMatchObject({ status: 'ok' });
  const ofSite = createApiClient(applianceApi, {
    baseUrl,
    credentials: readCredentials(environmentOf('replica-site')),
  });
  await expect(ofSite.siteVolumes({})).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  // Neither caller has a name, and both call from one address: the audit gathers them.
  const strangers = (await audit()).filter(({ outcome }) => outcome === 'UNAUTHORIZED');
  expect(strangers.map(({ caller, operation }) => [caller, operation])).toEqual([['-', 'siteVolumes']]);
});

test('a launcher sees that each process is well, whose health it asks for over TLS', async () => {
  const supervised = fixture.running.stages.flat();
  expect(supervised.map(({ id }) => id)).toContain('host-1');
  expect(await Promise.all(supervised.map(async (process) => process.answers()))).not.toContain(false);
});

test('the audit is there after a kill', async () => {
  const before = (await audit()).filter(({ process }) => process === 'splitter host-1');
  await fixture.running.process('host-1').restart('SIGKILL');
  const after = (await audit()).filter(({ process }) => process === 'splitter host-1');
  expect(after.slice(-before.length)).toEqual(before);
});

test('a splitter that is struck off sends nothing more, says why, and goes on when it is back', async () => {
  const [splitter] = fixture.running.estate.splitters;
  if (splitter === undefined) throw new Error('The estate has a splitter.');
  const credentials = readCredentials(environmentOf('reader'));
  const { health, inventory } = createApiClient(splitterApi, { baseUrl: controlUrl(splitter.control), credentials });
  const isConnected = async (): Promise<boolean[]> => (await inventory({})).volumes.map(({ connected }) => connected);
  await writeCallers('host-1');
  await expect.poll(isConnected, { timeout: PATIENCE_MS }).toEqual([false, false, false]);
  const notes = async (): Promise<string> => (await health({})).notes.join(' ');
  await expect
    .poll(notes, { timeout: PATIENCE_MS })
    .toContain("The appliance appliance-1 refused the caller: its certificate, of host-1, is no caller's");
  await writeCallers();
  await expect.poll(isConnected, { timeout: PATIENCE_MS }).toEqual([true, true, true]);
  await expect.poll(notes, { timeout: PATIENCE_MS }).not.toContain('refused the caller');
});

test('an appliance that the site does not know tells its own callers so, instead of blaming them', async () => {
  await writeCallers('appliance-1');
  const bookmark = async (): Promise<string> => (await cli('operator', 'bookmark', 'cg-gold', 'now')).stderr;
  await expect
    .poll(bookmark, { timeout: PATIENCE_MS })
    .toContain('This process was refused when it called another one: The replica site replica-site refused the caller');
  await writeCallers();
  await expect.poll(bookmark, { timeout: PATIENCE_MS }).toBe('');
});
