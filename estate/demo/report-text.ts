// The demo's report as text for people.
import { bytes, duration } from '../../client/text/format.js';
import { table } from '../../client/text/table.js';
import { reportLines, stepLine } from '../../client/cli/move-view.js';
import type { DiskCheck } from '../guest/verify.js';
import type { DemoReport } from './run-demo.js';

/** The phases of the guest's writes, in order. */
const PHASES = ['before', 'during', 'after'] as const;

/** The report as text. @param kept whether the estate keeps running, so that the link works */
export function reportText({ move, guest, proof, url }: DemoReport, kept: boolean): string {
  const rows = PHASES.map((phase) => {
    const { count = 0, medianMs = 0, p99Ms = 0, worstMs = 0 } = guest.latencies[phase] ?? {};
    return [`  ${phase} the move`, `${count}`, duration(medianMs), duration(p99Ms), duration(worstMs)];
  });
  const { replica, source, left, joined, problems } = proof;
  return [
    '',
    ...reportLines(move),
    '',
    'Steps',
    ...move.steps.map(stepLine),
    '',
    table(['Guest writes', 'COUNT', 'MEDIAN', 'P99', 'WORST'], rows),
    '',
    `Proof (seed ${guest.seed})`,
    `  replica = source     ${bytes(replica.sizeBytes)} compared, ${replica.differentBytes} bytes differ`,
    `  source = guest       ${guest.acknowledged} acknowledged writes to ${source.written} blocks, ${source.faults} faults`,
    `  "left" bookmark      ${cutText(left)}`,
    `  "joined" bookmark    ${cutText(joined)}`,
    '',
    ...(url === undefined
      ? []
      : [`In the Temporal UI${kept ? '' : ' (works while the estate runs: npm run demo -- --keep)'}: ${url}`]),
    ...(problems.length === 0
      ? ['Nothing was lost: every acknowledged write is there, in order, before and after the move.']
      : ['NOT as promised:', ...problems.map((problem) => `  - ${problem}`)]),
  ].join('\n');
}

/** What the check of a bookmark found: a state that the guest went through, or faults. */
export function cutText({ written, faults }: Pick<DiskCheck, 'written' | 'faults'>): string {
  const state = faults === 0 ? 'one consistent state of the guest' : 'no consistent state of the guest';
  return `${written} blocks, ${state}, ${faults} faults`;
}
