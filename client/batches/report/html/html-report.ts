// A batch's report as one page: totals by group, and a limited number of single moves.
import type { Batch } from '../../batch-client.js';
import type { BatchMoveReport } from '../../batch-moves.js';
import { BatchTally } from '../../tally.js';
import type { BatchReportFormat } from '../format.js';
import { Buckets } from './buckets.js';
import { COLUMNS } from './chart.js';
import { batchPage } from './page.js';

/** Rows of moves, and of failures. More would make the page slow to open, and nobody reads them. */
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
