// The report of `npm run simulate`, for people and as JSON.
import { counted, duration } from '../../client/text/format.js';
import { table } from '../../client/text/table.js';
import type { Share } from './share.js';
import type { Totals } from './totals.js';

export interface Report {
  readonly share: Share;
  readonly workers: number;
  readonly tookMs: number;
  readonly all: Totals;
  readonly byMix: ReadonlyMap<string, Totals>;
}

/** The command that makes one run again, with a trace. */
export function replayCommand({ mix, seed }: { readonly mix: string; readonly seed: number }): string {
  return `npm run simulate -- --mix '${mix}' --seed ${seed} --trace`;
}

export function reportOf({ share, workers, tookMs, all, byMix }: Report): string {
  const speed = speedOf(all, tookMs);
  return [
    `${counted(all.runs, 'run')} from seed ${share.firstSeed} in ${duration(tookMs)} on ${counted(workers, 'worker')}:`,
    `${all.broken.length} broken, ${counted(all.writes, 'write')}, ${counted(all.points, 'point')} compared,`,
    `${speed.runsPerSecond.toFixed(0)} runs and ${speed.virtualSecondsPerSecond.toFixed(0)} virtual seconds a second;`,
    `${speed.runsPerCpuSecond.toFixed(0)} and ${speed.virtualSecondsPerCpuSecond.toFixed(0)} a second of one core`,
    '',
    table(
      ['MIX', 'RUNS', 'MOVED', 'OTHER ENDS', 'FAULTS', 'BROKEN'],
      [...byMix].map(([name, { runs, moves, faults, broken }]) => {
        const moved = moves.get('moved') ?? 0;
        return [name, runs, moved, sumOf(moves) - moved, sumOf(faults), broken.length].map(String);
      }),
    ),
    ...counts('MOVES', all.moves),
    ...counts('FAULTS', all.faults),
    ...counts('REACHED', all.reached),
    ...all.broken.flatMap((run) => ['', `BROKEN, ${run.mix}: ${run.message}`, `  ${replayCommand(run)}`]),
  ].join('\n');
}

export function jsonOf({ share, workers, tookMs, all, byMix }: Report): object {
  return {
    firstSeed: share.firstSeed,
    workers,
    tookMs: Math.round(tookMs),
    ...speedOf(all, tookMs),
    ...all.toJSON(),
    broken: all.broken.map((run) => ({ ...run, replay: replayCommand(run) })),
    mixes: Object.fromEntries([...byMix].map(([name, totals]) => [name, totals.toJSON()])),
  };
}

interface Speed {
  readonly runsPerSecond: number;
  readonly virtualSecondsPerSecond: number;
  /** Runs in a second of the workers' processor time, which a busy machine changes little. */
  readonly runsPerCpuSecond: number;
  readonly virtualSecondsPerCpuSecond: number;
}

function speedOf({ runs, virtualMs, cpuMs }: Totals, tookMs: number): Speed {
  return {
    runsPerSecond: runs / (tookMs / 1_000),
    virtualSecondsPerSecond: virtualMs / tookMs,
    runsPerCpuSecond: runs / (cpuMs / 1_000),
    virtualSecondsPerCpuSecond: virtualMs / cpuMs,
  };
}

/** A table of counts, most first; none if there is nothing to count. */
function counts(title: string, of: ReadonlyMap<string, number>): string[] {
  if (of.size === 0) return [];
  const rows = [...of].toSorted(([, a], [, b]) => b - a).map(([name, count]) => [name, count.toLocaleString('en-US')]);
  return ['', table([title, 'COUNT'], rows)];
}

function sumOf(of: ReadonlyMap<string, number>): number {
  return [...of.values()].reduce((sum, count) => sum + count, 0);
}
