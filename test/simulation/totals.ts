// What many runs add up to, in all and for each mix.
import type { RunFacts } from './facts.js';

/** One broken seed. */
export interface Broken {
  readonly mix: string;
  readonly seed: number;
  readonly message: string;
}

export class Totals {
  runs = 0;
  writes = 0;
  reads = 0;
  points = 0;
  virtualMs = 0;
  cpuMs = 0;
  readonly moves = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly reached = new Map<string, number>();
  readonly broken: Broken[] = [];

  add(facts: RunFacts): void {
    this.runs += 1;
    this.writes += facts.writes;
    this.reads += facts.reads;
    this.points += facts.points;
    this.virtualMs += facts.virtualMs;
    this.cpuMs += facts.cpuMs;
    addCounts(this.moves, facts.moves);
    addCounts(this.faults, facts.faults);
    addCounts(this.reached, facts.reached);
    if (facts.broken !== undefined) this.broken.push({ mix: facts.mix, seed: facts.seed, message: facts.broken });
  }

  /** Plain data for JSON. */
  toJSON(): object {
    const { runs, writes, reads, points, virtualMs, cpuMs, moves, faults, reached, broken } = this;
    return {
      runs,
      moves: Object.fromEntries(moves),
      writes,
      reads,
      points,
      faults: Object.fromEntries(faults),
      reached: Object.fromEntries(reached),
      virtualMs,
      cpuMs: Math.round(cpuMs),
      broken,
    };
  }
}

function addCounts(sum: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [name, count] of more) sum.set(name, (sum.get(name) ?? 0) + count);
}
