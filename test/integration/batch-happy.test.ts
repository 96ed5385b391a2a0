// Whole batches on the real Temporal server, while the guest writes.
import { workflowMetadataQuery } from '@temporalio/workflow';
import { afterEach, expect, test } from 'vitest';
import { BATCH_UPDATES, BATCH_UPDATES_BEFORE, batchReportSchema } from '../../contracts/batch.js';
import { moveReportsOf, startBatch, storedReportOf } from './support/batches.js';
import { Moves } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

/** The names of the updates, each followed by the one that an earlier version gave to it. */
const UPDATES = Object.values(BATCH_UPDATES).flatMap((name) => [
  name,
  ...Object.entries(BATCH_UPDATES_BEFORE).flatMap(([earlier, now]) => (now === name ? [earlier] : [])),
]);

test('thirty volumes of two groups go where the mapping says, VM disks together, and every move leaves its report', async () => {
  moves = await Moves.start({
    splitters: 2,
    volumesPerSplitter: 15,
    // Four VMs of three disks at each host; the last three volumes are of none.
    described: (volume) => {
      const [host, disk] = volume.slice(1).split('v').map(Number);
      return disk === undefined || disk >= 12 ? {} : { vm: `vm-${host}-${Math.floor(disk / 3)}` };
    },
  });
  await (await moves.move({ volumes: ['s0v3', 's0v4', 's0v5', 's0v6'], to: 'g2' })).result();
  const handle = await startBatch(moves, {
    select: { name: 's?v*' },
    map: { g1: 'g3', g2: 'g1' },
    operator: 'ann',
    reason: 'tiers',
    options: { concurrency: { all: 8 } },
  });
  const report = batchReportSchema.parse(await handle.result());
  expect(report).toMatchObject({
    outcome: 'complete',
    failures: [],
    leftOut: [],
    addedMeanwhile: [],
    removedMeanwhile: [],
    operator: 'ann',
    reason: 'tiers',
    runs: 1,
  });
  // At the first host one VM is in the other group, and one disk of another.
  expect(report.counts).toMatchObject({ planned: 15, moved: 15, waiting: 0, running: 0, failed: 0, alreadyThere: 0 });
  for (const volume of moves.live.world.volumes)
    expect(moves.live.groupOf(volume), volume).toBe(/^s0v[3-6]$/.test(volume) ? 'g1' : 'g3');
  const reports = await moveReportsOf(moves, handle);
  expect(reports.map(({ seq }) => seq)).toEqual(Array.from({ length: 15 }, (_, seq) => seq));
  expect(reports.every(({ outcome, operator }) => outcome === 'moved' && operator === 'ann')).toBe(true);
  expect(reports.map(({ volumes }) => volumes.length)).toEqual(expect.arrayContaining([1, 2, 3]));
  expect(reports[0]?.volumes.toSorted()).toEqual(['s0v0', 's0v1', 's0v2']);
  expect(await storedReportOf(moves, handle)).toEqual(report);
  expect((await handle.describe()).searchAttributes).toMatchObject({
    BatchId: [report.batch],
    Stage: ['done'],
    Outcome: ['complete'],
  });
  const { currentDetails, definition } = await handle.query(workflowMetadataQuery);
  expect(currentDetails).toContain('| 15 | 0 | 0 | 15 | 0 |');
  expect(
    definition?.updateDefinitions?.map(({ name, description }) => [name, (description ?? '').length > 20]),
  ).toEqual(UPDATES.map((name) => [name, true]));
  await moves.live.checkPromises();
});
