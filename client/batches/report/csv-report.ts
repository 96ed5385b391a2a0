// A batch's report for spreadsheets and scripts: one line per planned move, then what the plan left
// out.
import type { Batch } from '../batch-client.js';
import { time } from '../../text/format.js';
import { csvLine } from '../csv.js';
import type { BatchReportFormat } from './format.js';

const TITLES = [
  'seq',
  'outcome',
  'volumes',
  'from',
  'to',
  'size_bytes',
  'tries',
  'started_at',
  'ended_at',
  'duration_ms',
  'move',
  'code',
  'message',
  'what_to_do',
] as const;

export function csvReport({ report }: Batch): BatchReportFormat {
  return {
    begin: () => csvLine(TITLES),
    move: ({ seq, outcome, volumes, from, to, sizeBytes, tries, startedAtMs, endedAtMs, move, problem }) =>
      csvLine([
        seq,
        outcome,
        // Ids contain no spaces.
        volumes.join(' '),
        from,
        to,
        sizeBytes,
        tries,
        startedAtMs === undefined ? '' : time(startedAtMs),
        endedAtMs === undefined ? '' : time(endedAtMs),
        startedAtMs === undefined || endedAtMs === undefined ? '' : endedAtMs - startedAtMs,
        move ?? '',
        problem?.code ?? '',
        problem?.message ?? '',
        problem?.action ?? '',
      ]),
    end: () =>
      (report?.leftOut ?? [])
        .map(({ volumes, to, code, message }) =>
          csvLine(['', 'left-out', volumes.join(' '), '', to ?? '', '', '', '', '', '', '', code, message, '']),
        )
        .join(''),
  };
}
