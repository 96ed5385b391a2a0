// The pages of metrics of a whole estate of real processes, before, during and after a move.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { createApiClient } from '../../control/client.js';
import { startGuest } from '../../estate/guest/guest.js';
import { nbdAddressOf } from '../../estate/nbd-address.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { type MetricsPage, metricsOf } from '../support/metrics-page.js';
import { PATIENCE_MS, until } from '../support/until.js';
import { type EstateFixture, smallEstate, startEstate } from './estate-fixture.js';
import { HOUR_MS, windowOf } from './support/batch-testbed.js';
import { NEW_YEAR } from './support/schedules.js';

const VOLUME = 'vm-1-disk-0';
const GOLD = { group: 'cg-gold' };
const SCHEDULE = 'nightly';

let fixture: EstateFixture;
let client: MoverClient;

beforeAll(async () => {
  const estate = smallEstate();
  const groups = estate.groups.map((group) => ({ ...group, rpoMsMax: 3_000 }));
  fixture = await startEstate({ withWorker: true, estate: { ...estate, groups } });
  const [address, namespace] = [fixture.temporalAddress, 'default'];
  client = createMoverClient({
    estate: fixture.running.estate,
    environment: { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
  });
  await skipARun();
});
afterAll(async () => {
  await client.close();
  await fixture.stop();
});

/**
 * A schedule whose second run is skipped, since the first one waits for its window. It is there
 * before the worker is first asked, which asks for schedules once a minute.
 */
async function skipARun(): Promise<void> {
  const window = windowOf(Date.now() + 2 * HOUR_MS, Date.now() + 3 * HOUR_MS);
  const batch = { moves: [{ volume: 'vm-2-disk-0', to: 'cg-gold' }], options: { window } };
  await client.schedules.create({ name: SCHEDULE, cron: [NEW_YEAR], timeZone: 'UTC', overlap: 'SKIP', batch });
  expect((await client.schedules.trigger(SCHEDULE)).result).toBe('started');
  expect((await client.schedules.trigger(SCHEDULE)).result).toBe('skipped');
}

async function page(process: string): Promise<MetricsPage> {
  const { url } = await fixture.running.process(process).waitReady();
  return metricsOf(url);
}

/** Reads a page until it says so. */
async function pageWhen(process: string, what: string, isSo: (page: MetricsPage) => boolean): Promise<MetricsPage> {
  return until(what, PATIENCE_MS, async () => {
    const read = await page(process);
    return isSo(read) ? read : undefined;
  });
}

test('a move under a guest’s writes is seen by every process', async () => {
  const address = await nbdAddressOf(fixture.running.process('host-1'));
  const guest = await startGuest({ address, volume: VOLUME, seed: 3, writesPerSecond: 200 });
  try {
    const { moveId } = await client.moves.start({ volume: VOLUME, to: 'cg-silver' });
    for await (const { state } of client.moves.follow(moveId)) if (state !== 'running') expect(state).toBe('moved');
  } finally {
    await guest.stop();
  }
  await waitUntilQuiet(client, { volume: VOLUME, timeoutMs: PATIENCE_MS });

  const worker = await pageWhen(
    'worker',
    'the end of the move',
    (read) => read.value('volume_mover_moves_total', { outcome: 'moved' }) === 1,
  );
  expect(worker.value('volume_mover_info', { role: 'worker', id: 'worker' })).toBe(1);
  expect(worker.value('volume_mover_moves_total', { outcome: 'failed' })).toBe(0);
  expect(worker.value('volume_mover_move_seconds_count', { outcome: 'moved' })).toBe(1);
  expect(worker.value('volume_mover_move_fenced_seconds_count')).toBe(1);
  expect(worker.value('volume_mover_move_fenced_seconds_sum')).toBeGreaterThan(0);
  expect(worker.value('volume_mover_move_resent_bytes_total')).toBe(0);
  for (const step of ['notify', 'flush', 'snapshot', 'bookmark', 'reconfigure']) {
    expect(worker.value('volume_mover_step_seconds_count', { step, outcome: 'ok' })).toBe(1);
    expect(worker.value('volume_mover_steps_running', { step })).toBe(0);
  }
  expect(worker.value('volume_mover_temporal_up')).toBe(1);
  expect(worker.values('volume_mover_moves_running')).toHaveLength(10);
  expect(worker.value('volume_mover_batches_running')).toBe(1);
  const schedule = { schedule: SCHEDULE };
  expect(worker.value('volume_mover_schedule_overlap_skipped_total', schedule)).toBe(1);
  expect(worker.value('volume_mover_schedule_missed_catchup_total', schedule)).toBe(0);
  expect(worker.value('volume_mover_schedule_paused', schedule)).toBe(0);
  expect(worker.value('volume_mover_sdk_metrics_up')).toBe(1);
  expect(worker.values('temporal_request_latency_seconds_count').length).toBeGreaterThan(0);

  const splitter = await page('host-1');
  expect(splitter.value('volume_mover_splitter_volumes', { mode: 'SYNCED' })).toBe(3);
  expect(splitter.value('volume_mover_splitter_sources', { state: 'present' })).toBe(3);
  expect(splitter.value('volume_mover_splitter_connected_volumes')).toBe(3);
  const writes = splitter.value('volume_mover_guest_request_seconds_count', { operation: 'write' });
  expect(writes).toBeGreaterThanOrEqual(guest.log.acknowledged);
  expect(splitter.value('volume_mover_guest_request_seconds_bucket', { operation: 'write', le: '+Inf' })).toBe(writes);
  expect(splitter.value('volume_mover_guest_written_bytes_total')).toBeGreaterThan(0);
  expect(splitter.value('volume_mover_volume_synced', { volume: VOLUME, group: 'cg-silver' })).toBe(1);
  expect(splitter.value('volume_mover_volume_lag_seconds', { volume: VOLUME })).toBe(0);
  expect(splitter.value('volume_mover_splitter_fences')).toBe(0);
  expect(splitter.value('volume_mover_splitter_fence_age_seconds')).toBe(0);
  expect(splitter.value('volume_mover_splitter_resent_bytes_total')).toBe(0);

  const site = await page('replica-site');
  expect(site.value('volume_mover_group_volumes', GOLD)).toBe(1);
  expect(site.value('volume_mover_group_volumes', { group: 'cg-silver' })).toBe(2);
  expect(site.value('volume_mover_group_points', GOLD)).toBeGreaterThan(0);
  expect(site.value('volume_mover_group_bookmarks', GOLD)).toBe(1);
  expect(site.value('volume_mover_group_rpo_threshold_seconds', GOLD)).toBe(3);
  expect(site.value('volume_mover_site_attempts')).toBe(0);
  expect(site.value('volume_mover_site_free_bytes')).toBeGreaterThan(0);

  const appliance = await page('appliance-1');
  expect(appliance.value('volume_mover_appliance_relayed_bytes_total')).toBeGreaterThan(0);
  expect(appliance.value('volume_mover_appliance_queued_bytes')).toBe(0);
  expect(appliance.value('volume_mover_appliance_groups')).toBe(1);
  expect(appliance.value('volume_mover_appliance_streams')).toBe(1);
});

test('a fence and its attempt are seen while they are there', async () => {
  const [appliance] = fixture.running.estate.appliances;
  if (appliance === undefined) throw new Error('The estate has an appliance.');
  const { moveId } = await client.moves.start({ volume: 'vm-1-disk-1', to: 'cg-silver', cutover: 'manual' });
  const site = await pageWhen('replica-site', 'an attempt', (read) => read.value('volume_mover_site_attempts') === 1);
  expect(site.value('volume_mover_site_attempt_age_seconds')).toBeLessThan(PATIENCE_MS / 1_000);
  const running = await pageWhen(
    'worker',
    'the stage of the move',
    (read) => read.values('volume_mover_moves_running', { stage: 'ready' })[0] === 1,
  );
  expect(running.value('volume_mover_steps_running', { step: 'standBy' })).toBe(1);
  await client.moves.abort(moveId, { operator: 'ann', reason: 'a test' });
  await pageWhen('replica-site', 'its end', (read) => read.value('volume_mover_site_attempts') === 0);
  const worker = await pageWhen(
    'worker',
    'the end of the move',
    (read) => read.value('volume_mover_moves_total', { outcome: 'failed' }) === 1,
  );
  expect(worker.value('volume_mover_step_seconds_count', { step: 'resolveAttempt', outcome: 'ok' })).toBe(1);
});

test('a step that fails is counted with its code, and whether Temporal repeats it', async () => {
  const { moveId } = await client.moves.start({ volume: 'vm-9-disk-9', to: 'cg-silver' });
  for await (const { state } of client.moves.follow(moveId)) if (state !== 'running') expect(state).toBe('failed');
  const worker = await page('worker');
  const labels = { step: 'notify', retryable: 'false' };
  expect(worker.values('volume_mover_step_failures_total', labels)).toEqual([1]);
  expect(worker.value('volume_mover_step_seconds_count', { step: 'notify', outcome: 'failed' })).toBe(1);
  const log = await readFile(fixture.running.process('worker').spec.logFile, 'utf8');
  const lines = log.split('\n').filter((line) => line.includes('"step":"notify"'));
  expect(lines.map((line): unknown => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ move: moveId, step: 'notify', attempt: 1, run: 1 }),
  );
});

test('a link that is cut is told by its appliance, and the site’s group goes above its RPO until it is back', async () => {
  const { url } = await fixture.running.process('appliance-2').waitReady();
  const { setLink } = createApiClient(applianceApi, { baseUrl: url });
  const silver = { group: 'cg-silver' };
  await pageWhen('replica-site', 'a point', (read) => read.value('volume_mover_group_rpo_exceeded', silver) === 0);
  await setLink({ cut: true });
  const cut = await page('appliance-2');
  expect(cut.value('volume_mover_appliance_site_reachable')).toBe(0);
  const site = await pageWhen(
    'replica-site',
    'an RPO above 3 s',
    (read) => read.value('volume_mover_group_rpo_exceeded', silver) === 1,
  );
  expect(site.value('volume_mover_group_rpo_seconds', silver)).toBeGreaterThan(3);
  expect(site.value('volume_mover_site_groups_over_rpo')).toBe(1);
  expect(site.value('volume_mover_health_notes')).toBeGreaterThan(0);
  await setLink({ cut: false });
  await pageWhen('replica-site', 'a new point', (read) => read.value('volume_mover_group_rpo_exceeded', silver) === 0);
  await pageWhen('appliance-2', 'the link', (read) => read.value('volume_mover_appliance_site_reachable') === 1);
});
