// Batches over the real end of their maintenance window, which they end with or wait for the next
// one: in a file of their own, since they wait for the clock to come to a whole minute.
import { afterAll, describe, expect, test } from 'vitest';
import type { BatchOptions } from '../../contracts/batch.js';
import { PATIENCE_MS, untilTrue } from '../support/until.js';
import { HOUR_MS, MINUTE_MS, windowOf } from './support/batch-testbed.js';
import { ask, type BatchHandle, moveReportsOf, progressOf, startBatch, untilCounts } from './support/batches.js';
import { Moves } from './support/moves.js';

/** What is done before the window ends, ms. */
const ROOM_MS = 30_000;
const DAY_MS = 24 * HOUR_MS;
/** A window's end, and what is done before and after it on a busy machine. */
const WINDOW_TEST_MS_MAX = 2 * PATIENCE_MS;

/**
 * One for each test: they wait for the clock together, and the end of one must not stop another.
 */
const worlds: Moves[] = [];
afterAll(async () => {
  for (const moves of worlds) await moves.stop();
});

interface Testbed {
  readonly moves: Moves;
  readonly handle: BatchHandle;
  readonly closesAtMs: number;
}

/**
 * @param openMs how long the window is open: a day's is followed at once by the next one
 * @param lagsMs how long after its end a lag keeps moves from their fence
 */
async function start(
  openMs: number,
  options: Pick<Partial<BatchOptions>, 'atWindowEnd'>,
  all: number,
  lagsMs?: number,
): Promise<Testbed> {
  const moves = await Moves.start({ volumesPerSplitter: 4 });
  worlds.push(moves);
  const closesAtMs = Math.ceil((Date.now() + ROOM_MS) / MINUTE_MS) * MINUTE_MS;
  if (lagsMs !== undefined) lagUntil(moves, closesAtMs + lagsMs);
  const handle = await startBatch(moves, {
    select: { from: 'g1' },
    to: 'g2',
    options: {
      ...options,
      concurrency: { all },
      expectedMoveMs: 1_000,
      window: windowOf(closesAtMs - openMs, closesAtMs),
    },
  });
  return { moves, handle, closesAtMs };
}

/** Keeps every move from its fence until the time. */
function lagUntil({ live }: Moves, atMs: number): void {
  live.faults.next('lag', 1_000_000, async (call) =>
    Date.now() > atMs ? call() : { volume: 's0v0', bufferedBytes: 0, undistributedBytes: 1e12 },
  );
}

/** Keeps every committed move from its end until the time. */
function learnAfter({ live }: Moves, atMs: number): void {
  live.faults.next('learn', 1_000_000, async (call) => {
    if (Date.now() > atMs) return call();
    throw new Error('The line is dead.');
  });
}

async function untilClosed(closesAtMs: number): Promise<void> {
  await untilTrue('the end of the window', PATIENCE_MS, async () => Date.now() > closesAtMs);
}

describe.concurrent('at the end of its window', () => {
  test(
    'running moves of a batch give up before their fence, and are not failures',
    async () => {
      const { moves, handle, closesAtMs } = await start(HOUR_MS, {}, 2, Number.POSITIVE_INFINITY);
      await untilCounts(handle, ({ running }) => running === 2);
      await untilClosed(closesAtMs);
      const report = await handle.result();
      expect(report).toMatchObject({ outcome: 'incomplete', counts: { moved: 0, failed: 0, waiting: 4 } });
      expect(report.summary).toContain('The maintenance window ended');
      const reports = await moveReportsOf(moves, handle);
      expect(reports.map(({ problem }) => problem?.code)).toEqual(['WINDOW_CLOSED', 'WINDOW_CLOSED']);
      await moves.live.checkPromises();
    },
    WINDOW_TEST_MS_MAX,
  );

  test(
    'a batch that waits for the next one begins again what gave up',
    async () => {
      const { moves, handle, closesAtMs } = await start(DAY_MS, { atWindowEnd: 'wait' }, 2, 0);
      await untilCounts(handle, ({ running }) => running === 2);
      expect((await progressOf(handle)).window).toEqual({ opensAtMs: closesAtMs - DAY_MS, closesAtMs });
      await untilClosed(closesAtMs);
      const report = await handle.result();
      expect(report).toMatchObject({ outcome: 'complete', counts: { planned: 4, moved: 4, failed: 0, waiting: 0 } });
      expect((await progressOf(handle)).window).toEqual({ opensAtMs: closesAtMs, closesAtMs: closesAtMs + DAY_MS });
      const reports = await moveReportsOf(moves, handle);
      expect(reports.map(({ seq, outcome, problem }) => [seq, outcome, problem?.code])).toEqual([
        [0, 'failed', 'WINDOW_CLOSED'],
        [0, 'moved', undefined],
        [1, 'failed', 'WINDOW_CLOSED'],
        [1, 'moved', undefined],
        [2, 'moved', undefined],
        [3, 'moved', undefined],
      ]);
      await moves.live.checkPromises();
    },
    WINDOW_TEST_MS_MAX,
  );

  test.each(['wait', 'finish'] as const)(
    'what is behind its fence finishes, the rest stays where it is (%s)',
    async (atWindowEnd) => {
      const { moves, handle, closesAtMs } = await start(HOUR_MS, { atWindowEnd }, 1);
      learnAfter(moves, closesAtMs + 1_000);
      await untilTrue('the commit of the first move', PATIENCE_MS, async () =>
        moves.live.faults.called.includes('learn'),
      );
      lagUntil(moves, closesAtMs + 1_000);
      await ask(handle, 'setConcurrency', { concurrency: { all: 2 } });
      await untilCounts(handle, ({ running }) => running === 2);
      await untilClosed(closesAtMs);
      if (atWindowEnd === 'wait') {
        await untilCounts(handle, ({ moved, running }) => moved === 1 && running === 0);
        expect(await progressOf(handle)).toMatchObject({
          stage: 'waiting-for-window',
          counts: { moved: 1, waiting: 3, failed: 0 },
          window: { opensAtMs: closesAtMs - HOUR_MS + DAY_MS, closesAtMs: closesAtMs + DAY_MS },
        });
        await ask(handle, 'abort');
      }
      const report = await handle.result();
      expect(report).toMatchObject({ outcome: 'incomplete', counts: { moved: 1, waiting: 3, failed: 0 } });
      const reports = await moveReportsOf(moves, handle);
      expect(reports.map(({ seq, outcome, problem }) => [seq, outcome, problem?.code])).toEqual([
        [0, 'moved', undefined],
        [1, 'failed', 'WINDOW_CLOSED'],
      ]);
      expect(reports[0]?.endedAtMs).toBeGreaterThan(closesAtMs);
      expect(moves.live.world.volumes.map((volume) => moves.live.groupOf(volume))).toEqual(['g2', 'g1', 'g1', 'g1']);
      await moves.live.checkPromises();
    },
    WINDOW_TEST_MS_MAX,
  );
});
