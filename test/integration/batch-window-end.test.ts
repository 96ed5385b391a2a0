// The end of a maintenance window while moves run: in a file of its own, since it waits for the
// clock to come to a whole minute.
import { afterEach, expect, test } from 'vitest';
import { untilTrue } from '../support/until.js';
import { HOUR_MS, MINUTE_MS, windowOf } from './support/batch-testbed.js';
import { moveReportsOf, startBatch, untilCounts } from './support/batches.js';
import { Moves } from './support/moves.js';

let moves: Moves;
afterEach(async () => moves.stop());

test(
  'at the end of its window running moves give up before their fence, and are not failures',
  async () => {
    moves = await Moves.start({ volumesPerSplitter: 4 });
    // So little time is left that the lag, which never becomes small, outlasts it.
    const closesAtMs = Math.ceil((Date.now() + 6_000) / MINUTE_MS) * MINUTE_MS;
    const neverSmall = async (): Promise<unknown> => ({ volume: 's0v0', bufferedBytes: 0, undistributedBytes: 1e12 });
    moves.live.faults.next('lag', 1_000_000, neverSmall);
    const handle = await startBatch(moves, {
      select: { from: 'g1' },
      to: 'g2',
      options: {
        concurrency: { all: 2 },
        expectedMoveMs: 1_000,
        window: windowOf(closesAtMs - HOUR_MS, closesAtMs),
      },
    });
    await untilCounts(handle, ({ running }) => running === 2);
    await untilTrue('the end of the window', MINUTE_MS + 10_000, async () => Date.now() > closesAtMs);
    const report = await handle.result();
    expect(report).toMatchObject({ outcome: 'incomplete', counts: { moved: 0, failed: 0, waiting: 4 } });
    expect(report.summary).toContain('The maintenance window ended');
    const reports = await moveReportsOf(moves, handle);
    expect(reports.map(({ problem }) => problem?.code)).toEqual(['WINDOW_CLOSED', 'WINDOW_CLOSED']);
    await moves.live.checkPromises();
  },
  2 * MINUTE_MS,
);
