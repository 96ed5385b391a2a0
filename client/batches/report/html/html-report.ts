// A batch's report as one page: all of it by group, and so many of its moves one by one.
import type { Batch } from '../../batch-client.js';
import type { BatchMoveReport } from '../../batch-moves.js';
import { BatchTally } from '../../tally.js';
import type { BatchReportFormat } from '../format.js';
import { Buckets } from './buckets.js';
import { COLUMNS } from './chart.js';
import { batchPage } from './page.js';

/** Rows of moves, and of failures: more make a page slow to open, and nobody reads them. */
const ROWS_MAX = 1_000;

export function htmlReport(batch: Batch, nowMs: number): BatchReportFormat {
  const { startedAtMs, endedAtMs = nowMs } = batch;
  const tally = new BatchTally();
  const buckets = new Buckets({ fromMs: startedAtMs, toMs: Math.max(startedAtMs, endedAtMs) }, COLUMNS);
  const moves: BatchMoveReport[] = [];
  const failures: BatchMoveReport[] = [];
  return {
    begin: () => '',
    move: (move) => {
      tally.add(move);
      buckets.add(move);
      if (moves.length < ROWS_MAX) moves.push(move);
      if (move.outcome === 'failed' && failures.length < ROWS_MAX) failures.push(move);
      return '';
    },
    end: () => batchPage({ batch, nowMs, tally, buckets, moves, failures }),
  };
}
