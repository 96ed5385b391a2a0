// Shows a stored report to people: who asked for what, how it ended, and why if it failed.
import type { StoredMoveReport } from '../../contracts/report.js';
import { printable } from '../text/printable.js';
import { time } from '../text/format.js';
import { reportLines, stepLine } from './move-view.js';

export function storedReportLines(stored: StoredMoveReport): string[] {
  const { move, outcome, volumes, from, to, startedAtMs, endedAtMs, operator, reason, batch, seq } = stored;
  const { report, progress, problem, wayBack, ending } = stored;
  return [
    `Move ${move}: ${outcome}`,
    `  started ${time(startedAtMs)}, ended ${time(endedAtMs)}`,
    `  ${volumes.join(', ')}: ${from ?? '?'} → ${to}`,
    ...(operator === undefined ? [] : [`  asked for by ${printable(operator)}`]),
    ...(reason === undefined ? [] : [`  because ${printable(reason)}`]),
    ...(batch === undefined ? [] : [`  move ${seq ?? '?'} of batch ${batch}`]),
    ...(report === undefined ? [] : reportLines(report, wayBack)),
    ...(progress?.steps ?? []).map(stepLine),
    ...(problem === undefined ? [] : [`  ${problem.detail} (${problem.code})`]),
    ...(ending?.left ?? []).map((sentence) => printable(`  remained: ${sentence}`)),
    ...(ending?.record === undefined ? [] : [printable(`  the replica site's record: ${ending.record}`)]),
    ...(problem?.reasons ?? []).map((listed) => `  - ${listed.message} (${listed.code})`),
  ];
}
