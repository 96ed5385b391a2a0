// What a batch reads of its stored plan, and how its selection is compared with it at the end.
import { expect, test } from 'vitest';
import { compareSelection } from '../../activities/batch/compare-selection.js';
import { planBatch } from '../../activities/batch/plan-batch.js';
import { readPlan } from '../../control/batch-plan.js';
import { findInPlan } from '../../activities/batch/find-in-plan.js';
import type { Ports } from '../../control/ports.js';
import { batchInputSchema, batchIdSchema } from '../../contracts/batch.js';
import { volumeIdSchema } from '../../contracts/ids.js';
import { reportsApi } from '../../contracts/report.js';
import { BatchPlans } from '../../simulator/replica-site/reports/batch-plans.js';
import { memoryTexts } from '../simulation/memory-texts.js';

const batch = batchIdSchema.parse('b@1');
const run = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => undefined, heartbeat: () => undefined };

interface Row {
  readonly volume: string;
  readonly group: string;
}

/** The real store of plans behind an appliance whose inventory is the given rows, two on a page. */
function portsOver(rows: Row[]): Ports {
  const plans = new BatchPlans(memoryTexts());
  const calls = {
    siteGroups: async () => ({
      groups: ['gold', 'silver'].map((group) => ({
        group,
        appliance: 'a1',
        volumesMax: 1_000,
        volumes: 0,
        reserved: 0,
      })),
    }),
    inventory: async ({ group, cursor }: { group?: string; cursor?: string }) => {
      const found = rows.filter((row) => group === undefined || row.group === group);
      const from = Number(cursor ?? 0);
      const volumes = found
        .slice(from, from + 2)
        .map((row) => ({ ...row, splitter: 's', sizeBytes: 1, appliance: 'a1' }));
      return { volumes, ...(from + 2 < found.length ? { next: String(from + 2) } : {}) };
    },
    storeBatchPlan: async (page: unknown) => plans.storePage(reportsApi.storeBatchPlan.input.parse(page)),
    finishBatchPlan: async (plan: unknown) => plans.finish(reportsApi.finishBatchPlan.input.parse(plan)),
    batchPlan: async (page: unknown) => plans.page(reportsApi.batchPlan.input.parse(page)),
  };
  return { appliances: new Map([['a1', { id: 'a1', url: '', calls }]]), splitters: new Map() } as unknown as Ports;
}

function estate(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => ({ volume: `v${String(i).padStart(3, '0')}`, group: 'gold' }));
}

const input = batchInputSchema.parse({ select: { from: 'gold' }, to: 'silver' });

test('a plan that is finished stands, whatever the estate is when it is asked for again', async () => {
  const rows = estate(5);
  const ports = portsOver(rows);
  const first = await planBatch(ports, { batch, input }, 'try-1', run);
  rows.push({ volume: 'v900', group: 'gold' });
  expect(first).toMatchObject({ planned: 5, alreadyThere: 0, refused: 0 });
  expect(await planBatch(ports, { batch, input }, 'try-2', run)).toEqual(first);
});

test('moves of the plan are read by their numbers, near and far', async () => {
  const ports = portsOver(estate(450));
  await planBatch(ports, { batch, input }, 'try-1', run);
  const seqs = [449, 0, 3, 200, 199];
  const items = await readPlan(ports, { batch, seqs });
  expect(new Map(items.map(({ seq, volumes: [volume] }) => [seq, volume]))).toEqual(
    new Map(seqs.map((seq) => [seq, `v${String(seq).padStart(3, '0')}`])),
  );
  await expect(readPlan(ports, { batch, seqs: [450] })).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' });
  expect(await findInPlan(ports, { batch, volume: volumeIdSchema.parse('v431') }, run)).toMatchObject({ seq: 431 });
  await expect(findInPlan(ports, { batch, volume: volumeIdSchema.parse('x') }, run)).rejects.toMatchObject({
    code: 'VOLUME_NOT_FOUND',
  });
});

test('volumes that came and went meanwhile are told apart from those that were moved', async () => {
  const rows = estate(4);
  const ports = portsOver(rows);
  await planBatch(ports, { batch, input }, 'try-1', run);
  // One is moved, one is gone, one is new, and one is new where the batch would move it.
  rows.splice(0, 2, { volume: 'v000', group: 'silver' });
  rows.push({ volume: 'v100', group: 'gold' }, { volume: 'v101', group: 'silver' });
  expect(await compareSelection(ports, { batch, input })).toEqual({
    addedMeanwhile: ['v100'],
    removedMeanwhile: ['v001'],
  });
});
