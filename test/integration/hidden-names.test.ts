// A batch that hides names hides them in all of its runs, and in its moves.
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { HIDDEN_MEMO } from '../../contracts/search-pairs.js';
import { startBatch } from './support/batches.js';
import { Moves } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

test('no id and no search attribute of its moves names a volume or a group, in later runs either', async () => {
  moves = await Moves.start({ volumesPerSplitter: 6, runEventsMax: 40 });
  const input = { select: { from: 'g1' }, to: 'g2', options: { concurrency: { all: 2 } } };
  const id = `batch-${randomUUID().slice(0, 8)}`;
  const handle = await startBatch(moves, input, id, { [HIDDEN_MEMO]: true });
  const report = await handle.result();
  expect(report).toMatchObject({ outcome: 'complete', counts: { moved: 6 } });
  expect(report.runs).toBeGreaterThan(1);
  const seqs = Array.from({ length: 6 }, (_, seq) => seq);
  for (const seq of seqs) {
    const { searchAttributes, memo } = await moves.client.workflow.getHandle(`${id}/${seq}`).describe();
    expect(Object.keys(searchAttributes).filter((name) => /Volumes|Group/.test(name))).toEqual([]);
    expect(searchAttributes).toMatchObject({ Stage: ['done'], Outcome: ['moved'] });
    expect(memo).toMatchObject({ [HIDDEN_MEMO]: true });
  }
  await moves.live.checkPromises();
});
