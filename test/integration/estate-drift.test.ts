// A line that is missing in an estate file does not end protection. Real processes start with a
// file that has left out a group and a volume.
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EstatePlan } from '../../client/declaration/compare-estate.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import type { Estate } from '../../contracts/estate.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { replicaSiteApi } from '../../contracts/replica-site-api.js';
import { controlUrl } from '../../contracts/estate.js';
import { createApiClient } from '../../control/client.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { runCommand } from '../support/cli.js';
import { PATIENCE_MS } from '../support/until.js';
import { type EstateFixture, startEstate } from './estate-fixture.js';

const SILVER = groupIdSchema.parse('cg-silver');
const VOLUME = volumeIdSchema.parse('vm-2-disk-0');
let fixture: EstateFixture;
let client: MoverClient;

beforeAll(async () => {
  fixture = await startEstate({ withWorker: false });
  client = createMoverClient({ estate: fixture.running.estate });
});
afterAll(async () => fixture.stop());

async function lastPoint(): Promise<string | undefined> {
  const group = (await client.groups.list()).find((listed) => listed.group === SILVER);
  return group?.state === 'ACTIVE' ? group.lastPoint?.id : undefined;
}

test('a group and a volume that the file leaves out keep their protection over a restart, and health names both', async () => {
  const { running } = fixture;
  await waitUntilQuiet(client, { volume: VOLUME, timeoutMs: PATIENCE_MS });
  await expect.poll(lastPoint, { timeout: PATIENCE_MS }).toBeDefined();

  const file = JSON.parse(readFileSync(running.estateFile, 'utf8')) as Estate;
  const groups = file.groups.filter(({ id }) => id !== SILVER);
  const splitters = file.splitters.map((splitter) => ({
    ...splitter,
    volumes: splitter.volumes.filter(({ id }) => id !== VOLUME),
  }));
  writeFileSync(running.estateFile, JSON.stringify({ ...file, groups, splitters }));
  for (const id of ['replica-site', 'appliance-2', 'host-1']) await running.process(id).restart();

  const before = await lastPoint();
  await expect.poll(lastPoint, { timeout: PATIENCE_MS }).not.toBe(before);
  const { points } = await client.points.list({ group: SILVER });
  expect(points.at(-1)?.members.map(({ volume }) => volume)).toEqual([VOLUME]);
  const site = createApiClient(replicaSiteApi, { baseUrl: controlUrl(file.replicaSite.control) });
  const { notes } = await site.health({});
  expect(notes).toContainEqual(expect.stringMatching(/^Group "cg-silver" is not in the estate file/));
  expect(notes).toContainEqual(expect.stringMatching(/^Volume "vm-2-disk-0" of splitter "host-1" is not in/));
  const plan = await client.moves.plan({ volume: VOLUME, to: 'cg-gold' });
  expect(plan).toMatchObject({ ok: true, reasons: [] });

  const told = await runCommand({}, ['estate', 'plan', '--json', '--estate', running.estateFile]);
  expect(told.exitCode).toBe(1);
  const { plan: estatePlan } = JSON.parse(told.stdout) as { plan: EstatePlan };
  expect(estatePlan.differences.map(({ code, subject, unprotected }) => [code, subject, unprotected])).toEqual([
    ['GROUP_UNDECLARED', SILVER, false],
    ['VOLUME_UNDECLARED', VOLUME, false],
  ]);
  const words = await runCommand({}, ['estate', 'plan', '--estate', running.estateFile]);
  expect(words.stdout).toMatch(
    /^Everything is protected, but something differs:\n {2}- Group "cg-silver" with 1 volumes/,
  );
  writeFileSync(running.estateFile, JSON.stringify(file));
  const same = await runCommand({}, ['estate', 'plan', '--estate', running.estateFile]);
  expect(same).toEqual({ exitCode: 0, stdout: 'The estate runs as the file says.\n', stderr: '' });
});

test('a volume that the file gains while everything runs is named in health until the file is applied', async () => {
  const { estateFile } = fixture.running;
  const file = JSON.parse(readFileSync(estateFile, 'utf8')) as Estate;
  const site = createApiClient(replicaSiteApi, { baseUrl: controlUrl(file.replicaSite.control) });
  const isNamed = async (): Promise<boolean> =>
    (await site.health({})).notes.some((note) => note.startsWith('Volume "vm-9-disk-0" of splitter "host-1" is new'));
  const gained = { id: 'vm-9-disk-0', sizeMiB: 8, labels: { tier: 'gold' } };
  const splitters = file.splitters.map((splitter) => ({ ...splitter, volumes: [...splitter.volumes, gained] }));
  const protect = [{ match: { tier: 'gold' }, group: 'cg-gold' }];
  writeFileSync(estateFile, JSON.stringify({ ...file, splitters, protect }));
  await expect.poll(isNamed, { timeout: PATIENCE_MS }).toBe(true);
  expect((await client.volumes.list()).map(({ volume }) => volume)).not.toContain(gained.id);

  const applied = await runCommand({}, ['estate', 'apply', '--yes', '--estate', estateFile]);
  expect(applied.exitCode, applied.stderr).toBe(0);
  await waitUntilQuiet(client, { volume: gained.id, timeoutMs: PATIENCE_MS });
  expect(await isNamed()).toBe(false);
});
