// A benchmark's report as text for people.
import { duration } from '../client/text/format.js';
import { table } from '../client/text/table.js';
import type { BenchResult, Goal } from './bench.js';
import type { Machine } from './machine.js';

export interface BenchReport extends BenchResult {
  readonly bench: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly tookMs: number;
  readonly repetitions: number;
  readonly machine: Machine;
  /** Cores kept busy on average over the whole run, by all processes. */
  readonly busyCores: number;
}

export function reportText(report: BenchReport): string {
  const { machine, goals, stretch, conditions, notMeasured, versions } = report;
  const { cores, processor, memoryGiB, system, node, loadAtStart } = machine;
  return [
    `${report.bench}: ${report.repetitions === 1 ? 'one measurement' : `medians of ${report.repetitions} repetitions`}, product and peers in turn`,
    '',
    ...[report.table, ...(report.furtherTables ?? [])].flatMap(({ titles, rows }) => [table(titles, rows), '']),
    table(['GOAL', 'VALUE', 'WANTED', ''], [...goals.map(goalRow), ...stretch.map(stretchRow)]),
    '',
    'Conditions',
    ...conditions.map(item),
    item(`${cores} cores (${processor}), ${memoryGiB} GiB, ${system}, Node ${node}`),
    item(`load ${loadAtStart.toFixed(1)} at the start, ${report.busyCores.toFixed(1)} cores busy on average`),
    item(`started ${report.startedAt}, took ${duration(report.tookMs)}`),
    ...Object.entries(versions).map(([program, version]) => item(`${program}: ${version}`)),
    '',
    'Not measured',
    ...notMeasured.map(item),
  ].join('\n');
}

function goalRow({ name, value, goal, bound, met }: Goal): string[] {
  return [name, value.toFixed(3), `${bound} ${goal}`, met ? 'met' : 'NOT met'];
}

function stretchRow({ name, value, goal, bound, met }: Goal): string[] {
  return [`${name} (stretch)`, value.toFixed(3), `${bound} ${goal}`, met ? 'reached' : 'not yet'];
}

function item(sentence: string): string {
  return `  - ${sentence}`;
}
