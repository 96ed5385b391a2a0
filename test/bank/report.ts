// What the bank shows: a line for each bug, and at the end the survivors.
import type { BankedBug } from './bank.js';
import type { Judgement, Killer } from './judges.js';

export interface Found extends Judgement {
  readonly bug: BankedBug;
  readonly seconds: number;
}

export type Verdict = 'killed' | 'survived' | 'open' | 'equivalent' | 'not equivalent' | 'broken';

export function verdictOf({ bug: { equivalent, open }, killer, broken }: Found): Verdict {
  if (broken !== undefined) return 'broken';
  if (killer !== undefined) return equivalent === undefined ? 'killed' : 'not equivalent';
  if (equivalent !== undefined) return 'equivalent';
  return open === undefined ? 'survived' : 'open';
}

/** Whether the bank's verdict is no reason to fail. */
export function isSound(found: Found): boolean {
  const verdict = verdictOf(found);
  return verdict === 'killed' || verdict === 'equivalent' || verdict === 'open';
}

const VERDICT_WIDTH = 10;
const ID_WIDTH = 48;

export function lineOf(found: Found): string {
  const { bug, killer, broken, runs, seconds } = found;
  const by = broken ?? (killer === undefined ? (bug.equivalent ?? bug.open ?? bug.breaks) : nameOf(killer));
  const counted = runs > 0 ? `${runs} runs, ` : '';
  return `${verdictOf(found).padEnd(VERDICT_WIDTH)}  ${bug.id.padEnd(ID_WIDTH)}  ${by} (${counted}${seconds.toFixed(1)} s)\n`;
}

function nameOf(killer: Killer): string {
  return killer.by === 'test' ? killer.name : `seed ${killer.seed}, ${killer.mix}: ${killer.message.split('\n')[0]}`;
}

export interface Summary {
  readonly bugs: number;
  readonly byTests: number;
  readonly bySimulation: number;
  /** Median runs of the simulation until it found a bug; absent if it found none. */
  readonly medianRuns?: number;
  readonly equivalents: number;
  readonly survivors: readonly string[];
  readonly unsound: readonly string[];
  readonly seconds: number;
}

export function summaryOf(all: readonly Found[]): Summary {
  const withVerdict = (verdict: Verdict): readonly Found[] => all.filter((found) => verdictOf(found) === verdict);
  const killed = withVerdict('killed');
  const simulated = killed.filter(({ killer }) => killer?.by === 'simulation').map(({ runs }) => runs);
  const median = simulated.toSorted((a, b) => a - b)[Math.floor(simulated.length / 2)];
  return {
    bugs: all.length,
    byTests: killed.length - simulated.length,
    bySimulation: simulated.length,
    ...(median === undefined ? {} : { medianRuns: median }),
    equivalents: withVerdict('equivalent').length,
    survivors: [...withVerdict('survived'), ...withVerdict('open')].map(({ bug }) => bug.id),
    unsound: [...withVerdict('not equivalent'), ...withVerdict('broken')].map(({ bug }) => bug.id),
    seconds: all.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

export function endOf(all: readonly Found[]): string {
  const { bugs, byTests, bySimulation, medianRuns, equivalents, survivors, unsound, seconds } = summaryOf(all);
  const runs = medianRuns === undefined ? '' : ` (median ${medianRuns} runs)`;
  const counts = `${bugs} bugs: ${byTests} killed by tests, ${bySimulation} by the simulation${runs}, ${equivalents} equivalent, ${survivors.length} survived, ${unsound.length} to be reviewed; ${Math.round(seconds)} s.`;
  const bad = all.filter((found) => !isSound(found)).map(lineOf);
  return `\n${bad.length === 0 ? '' : `To be looked at:\n${bad.join('')}\n`}${counts}\n`;
}
