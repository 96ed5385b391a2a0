// When the server runs a schedule: on the clocks of its zone, a little later by jitter, and after
// an outage only what is not too late.
import { Client, Connection } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, inject, test } from 'vitest';
import type { ScheduleInput } from '../../client/schedules/schedule-input.js';
import type { Schedule } from '../../client/schedules/schedules.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { groupIdSchema } from '../../contracts/ids.js';
import { DurableTemporal } from '../chaos/durable-temporal.js';
import { estateOf } from '../support/test-estate.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';

const SECOND_MS = 1_000;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

/** Nothing of the estate is asked for: what a schedule starts waits for workers that never come. */
async function clientOf(address: string, namespace: string): Promise<MoverClient> {
  const connection = await Connection.connect({ address });
  stops.push(async () => connection.close());
  const temporal = { client: new Client({ connection, namespace }), uiUrl: undefined };
  const groups = { 'cg-gold': { appliance: 'appliance-1', volumes: [] } };
  return createMoverClient({ estate: estateOf({ groups, sizeMiB: 4 }), temporal });
}

async function create(client: MoverClient, input: Omit<ScheduleInput, 'name' | 'batch'>): Promise<Schedule> {
  const name = `times-${randomUUID()}`;
  const batch = { select: { from: groupIdSchema.parse('cg-gold') }, to: groupIdSchema.parse('cg-silver') };
  const { schedule } = await client.schedules.create({ name, batch, ...input });
  stops.push(async () => client.schedules.delete(name));
  return schedule;
}

test('a schedule runs on the clocks of its zone, also where they change, and with jitter a little later', async () => {
  const client = await clientOf(inject('temporalAddress'), inject('temporalNamespace'));
  const zone = { timeZone: 'Europe/Paris' };
  const monthly = { ...zone, cron: '30 1 15 * *' };
  const { nextRunsMs } = await create(client, monthly);
  // Far enough for clocks to change.
  expect(nextRunsMs.length).toBeGreaterThanOrEqual(7);
  const paris = new Intl.DateTimeFormat('sv-SE', { ...zone, dateStyle: 'short', timeStyle: 'medium' });
  for (const atMs of nextRunsMs) expect(paris.format(atMs)).toMatch(/-15 01:30:00$/);

  const { nextRunsMs: byCalendar } = await create(client, {
    ...zone,
    calendars: [{ dayOfMonth: 15, hour: 1, minute: 30, comment: 'as the cron text' }],
  });
  expect(byCalendar).toEqual(nextRunsMs);

  const jitterMs = 3_600_000;
  const { nextRunsMs: later } = await create(client, { ...monthly, jitterMs });
  const latenessMs = later.map((atMs, i) => atMs - (nextRunsMs[i] ?? 0));
  expect(Math.min(...latenessMs)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...latenessMs)).toBeLessThanOrEqual(jitterMs);
  expect(new Set(latenessMs).size).toBeGreaterThan(1);
});

test('after an outage of the server the runs of the catch-up window are made up for, and no older ones', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vm-outage-'));
  stops.push(async () => rm(folder, { recursive: true, force: true }));
  const temporal = await DurableTemporal.start(folder);
  stops.push(async () => temporal.stop());
  const client = await clientOf(temporal.address, 'default');
  const catchUpMs = 10 * SECOND_MS;
  const everyTwoSeconds = { cron: '*/2 * * * * * *', timeZone: 'UTC', overlap: 'ALLOW_ALL' as const };
  const { name } = await create(client, { ...everyTwoSeconds, catchUpMs });
  await untilTrue('the first run', PATIENCE_MS, async () => (await client.schedules.get(name)).runs.started > 0);

  await temporal.kill();
  const killedAtMs = Date.now();
  await untilTrue('a long outage', PATIENCE_MS, async () => Date.now() > killedAtMs + 2 * catchUpMs);
  const restartedAtMs = Date.now();
  await temporal.restart();
  const { runs, lastRuns } = await until('runs after the outage', PATIENCE_MS, async () => {
    const schedule = await client.schedules.get(name);
    return schedule.lastRuns.some(({ startedAtMs }) => startedAtMs > restartedAtMs) ? schedule : undefined;
  });
  expect(runs.missedCatchUp).toBeGreaterThan(0);
  const madeUpFor = lastRuns.filter(({ startedAtMs }) => startedAtMs > restartedAtMs);
  const oldestMs = Math.min(...madeUpFor.map(({ scheduledAtMs }) => scheduledAtMs));
  // What is too late is decided when the server is up again; the runs that are not start one after
  // another, a little later.
  expect(oldestMs).toBeGreaterThanOrEqual(restartedAtMs - catchUpMs);
  expect(madeUpFor.some(({ scheduledAtMs }) => scheduledAtMs < restartedAtMs)).toBe(true);
});
