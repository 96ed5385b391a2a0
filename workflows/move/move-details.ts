// The markdown that the Temporal UI shows for a running move.
import type { MoveProgress, StepReport } from '../../contracts/move.js';
import { namesOf } from '../shared/step-summaries.js';
import { inCell } from '../shared/table-cell.js';

/** Steps listed, the newest. A move with many attempts would exceed the server's 20 KB. */
const STEPS_MAX = 40;

export function detailsOf({ volumes, from, to, stage, attempt, verdict, waitsFor, steps }: MoveProgress): string {
  const lines = [
    `**${namesOf(volumes)}**: ${from === undefined ? '' : `\`${from}\` `}→ \`${to}\``,
    '',
    `Stage **${stage}**, attempt ${attempt}${verdict === undefined ? '' : `, verdict **${verdict}**`}`,
  ];
  if (waitsFor !== undefined) lines.push('', waitsFor);
  if (steps.length > 0)
    lines.push('', '| step | attempt | took | |', '| --- | --- | --- | --- |', ...steps.slice(-STEPS_MAX).map(rowOf));
  return lines.join('\n');
}

function rowOf({ step, attempt, startedAtMs, endedAtMs, error }: StepReport): string {
  const outcome =
    error === undefined ? 'done' : [error.code, error.message].filter((part) => part !== undefined).join(': ');
  return `| ${step} | ${attempt} | ${endedAtMs - startedAtMs} ms | ${inCell(outcome)} |`;
}
