// The markdown that the Temporal UI shows for a batch.
import type { BatchProgress } from '../../contracts/batch.js';
import { namesOf } from '../shared/step-summaries.js';
import { inCell } from '../shared/table-cell.js';

/** Failures listed. A hundred long ones would exceed the server's 20 KB. */
const FAILURES_MAX = 40;
const MINUTE_MS = 60_000;

export function batchDetailsOf(progress: BatchProgress, nowMs: number): string {
  const { stage, counts, perMinute, expectedEndMs, longest, failures, lastRequest, window } = progress;
  const lines = [
    `Stage **${stage}**`,
    '',
    '| planned | waiting | running | moved | failed | cancelled | already there | skipped | refused |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    `| ${counts.planned} | ${counts.waiting} | ${counts.running} | ${counts.moved} | ${counts.failed} | ${counts.cancelled} | ${counts.alreadyThere} | ${counts.skipped} | ${counts.refused} |`,
    '',
    `${perMinute} moves a minute${expectedEndMs === undefined ? '' : `, done at about ${timeOf(expectedEndMs)}`}`,
  ];
  if (window !== undefined) lines.push('', `Window: ${timeOf(window.opensAtMs)} to ${timeOf(window.closesAtMs)}`);
  if (lastRequest !== undefined) lines.push('', `Last request: ${inCell(lastRequest)}`);
  if (longest.length > 0)
    lines.push(
      '',
      '| running longest | to | for |',
      '| --- | --- | --- |',
      ...longest.map(({ volumes, to, sinceMs }) => `| ${namesOf(volumes)} | ${to} | ${lastingOf(nowMs - sinceMs)} |`),
    );
  if (failures.length > 0)
    lines.push(
      '',
      '| failed | to | tries | why |',
      '| --- | --- | --- | --- |',
      ...failures
        .slice(0, FAILURES_MAX)
        .map(
          ({ volumes, to, tries, code, message }) =>
            `| ${namesOf(volumes)} | ${to} | ${tries} | ${inCell(code === undefined ? message : `${code}: ${message}`)} |`,
        ),
    );
  return lines.join('\n');
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace('T', ' ').concat(' UTC');
}

function lastingOf(ms: number): string {
  return ms < MINUTE_MS ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / MINUTE_MS)} min`;
}
