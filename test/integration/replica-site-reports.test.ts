// Reports, plans and the inventory through an appliance, and that what was stored survives the
// death of the replica site.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { moveIdSchema } from '../../contracts/ids.js';
import { refusal, SiteWorld } from './replica-site-fixture.js';

let world: SiteWorld;
beforeEach(() => {
  world = new SiteWorld();
});
afterEach(async () => world.stop());

const MOVE = moveIdSchema.parse('m@1');
const BATCH = moveIdSchema.parse('b@1');
const report = {
  move: MOVE,
  outcome: 'moved' as const,
  volumes: ['v1'],
  to: 'g2',
  startedAtMs: 1,
  endedAtMs: 2,
  batch: BATCH,
  seq: 0,
};
const item = { seq: 0, volumes: ['v1'], from: 'g1', to: 'g2', sizeBytes: 1, appliances: ['a1', 'a2'] };
const batchReport = {
  batch: BATCH,
  outcome: 'complete' as const,
  summary: 'All moves were tried.',
  counts: {
    planned: 1,
    waiting: 0,
    running: 0,
    moved: 1,
    failed: 0,
    cancelled: 0,
    alreadyThere: 0,
    skipped: 0,
    refused: 0,
  },
  failures: [],
  leftOut: [],
  addedMeanwhile: [],
  removedMeanwhile: [],
  startedAtMs: 1,
  endedAtMs: 2,
  runs: 1,
};

test('what an appliance stored is there after the replica site was killed', async () => {
  const site = await world.siteProcess();
  const { control } = await world.appliance('a1');
  await control.storeReport(report);
  await control.storeBatchPlan({ batch: BATCH, from: 0, items: [item] });
  expect(await control.finishBatchPlan({ ...plan(1), batch: BATCH })).toEqual({ planned: 1 });
  await control.storeBatchReport(batchReport);
  await site.kill();
  await world.siteProcess();
  expect(await control.report({ move: MOVE })).toEqual(report);
  expect(await control.reports({ batch: BATCH })).toEqual({ reports: [report] });
  expect(await control.reports({ outcome: 'failed' })).toEqual({ reports: [] });
  expect(await control.batchPlan({ batch: BATCH })).toMatchObject({ items: [item], planned: 1 });
  expect(await control.batchReport({ batch: BATCH })).toEqual(batchReport);
});

test('what was never stored is REPORT_NOT_FOUND', async () => {
  const { control } = await world.site();
  expect(await refusal(control.report({ move: MOVE }))).toBe('REPORT_NOT_FOUND');
  expect(await refusal(control.batchReport({ batch: BATCH }))).toBe('REPORT_NOT_FOUND');
});

test('the inventory opens no journal and is paged, also through an appliance', async () => {
  await world.site();
  const { control } = await world.appliance('a2');
  const first = await control.inventory({ limit: 2 });
  expect(first).toMatchObject({
    volumes: [
      { volume: 'v1', splitter: 's1', group: 'g1', appliance: 'a1' },
      { volume: 'v2', splitter: 's1', group: 'g1', appliance: 'a1' },
    ],
    next: 'v2',
  });
  const second = await control.inventory({ limit: 2, cursor: first.next });
  expect(second).toMatchObject({ volumes: [{ volume: 'v3', splitter: 's2' }] });
  expect(second.next).toBeUndefined();
  expect((await control.siteVolumes({ namePattern: 'v?', group: 'g1', limit: 1 })).volumes).toHaveLength(1);
  expect(await refusal(control.inventory({ labels: 'tier' }))).toBe('INVALID_REQUEST');
});

function plan(planned: number) {
  return { planned, alreadyThere: 0, refused: 0, leftOut: [], plannedAtMs: 3 };
}
