// A batch's report for spreadsheets and scripts: one line per planned move, then what the plan left
// out.
import type { BatchLeftOut } from '../../../contracts/batch.js';
import { ERRORS } from '../../../contracts/errors.js';
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
  'operator',
  'reason',
] as const;

/**
 * Tells spreadsheets that the file is UTF-8; without it some read names as Windows' own characters.
 */
const BYTE_ORDER_MARK = '\uFEFF';

/** @param withMark whether the file begins with a byte order mark */
export function csvReport({ report }: Batch, withMark: boolean): BatchReportFormat {
  const asked = [report?.operator ?? '', report?.reason ?? ''];
  return {
    begin: () => `${withMark ? BYTE_ORDER_MARK : ''}${csvLine(TITLES)}`,
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
        ...asked,
      ]),
    end: () => (report?.leftOut ?? []).map((leftOut) => csvLine([...leftOutCells(leftOut), ...asked])).join(''),
  };
}

function leftOutCells({ volumes, from, to, sizeBytes, code, message }: BatchLeftOut): (string | number)[] {
  const neverStarted = ['', '', '', '', ''];
  return [
    '',
    'left-out',
    volumes.join(' '),
    from ?? '',
    to ?? '',
    sizeBytes ?? '',
    ...neverStarted,
    code,
    message,
    ERRORS[code].action,
  ];
}
