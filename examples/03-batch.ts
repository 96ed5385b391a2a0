// 3. A batch: many moves under limits, in a maintenance window, with one canary move that a person
// approves.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  const { batchId } = await client.batches.start({
    select: { from: 'cg-gold' },
    to: 'cg-silver',
    operator: 'ann',
    reason: 'gold is closed',
    options: {
      // No move starts outside the window, or if it isn't expected to end inside.
      window: { timeZone: 'Europe/Paris', start: '00:00', end: '23:59' },
      atWindowEnd: 'wait',
      canary: { count: 1, approval: true },
      concurrency: { all: 2 },
      failures: { policy: 'stop-after', count: 1 },
    },
  });
  let isApproved = false;
  for await (const { progress } of client.batches.follow(batchId)) {
    if (progress === undefined) continue;
    const { stage, counts } = progress;
    console.log(`${stage}: ${counts.moved} of ${counts.planned} moved`);
    if (stage === 'waiting-for-approval' && !isApproved) {
      isApproved = true;
      console.log(await client.batches.approve(batchId, { operator: 'bob', reason: 'the canary sings' }));
    }
  }
  const { report } = await client.batches.get(batchId);
  console.log(report?.outcome, report?.summary);
  for await (const { volumes, outcome } of client.batches.moves(batchId)) console.log(volumes.join(), outcome);
} finally {
  await client.close();
}
