// A check of one clause.
import type { SplitterBench } from '../bench.js';
import type { SplitterClause } from '../clauses.js';

export interface SplitterCheck {
  readonly clause: SplitterClause;
  /** @throws Unmet when the clause is not met, Skipped when it can't be checked */
  readonly run: (bench: SplitterBench) => Promise<void>;
}
