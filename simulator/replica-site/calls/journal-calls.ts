// Work on one volume's journal: a rebuild that a person ordered, and a fault for tests.
import type { Rebuilt, RebuildInput } from '../../../contracts/repair.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import { requireFaults } from '../../control-server/faults.js';
import type { Handlers } from '../../control-server/handlers.js';
import type { Journals } from '../journals.js';

type JournalCalls = Pick<Handlers<typeof replicaSiteApi>, 'rebuild' | 'setDistribution'>;

export interface JournalCallsOptions {
  readonly journals: Journals;
  readonly rebuild: (input: RebuildInput) => Promise<Rebuilt>;
  readonly faults: boolean;
}

export function journalCalls({ journals, rebuild, faults }: JournalCallsOptions): JournalCalls {
  return {
    rebuild: async (input) => rebuild(input),
    setDistribution: async (state) => {
      requireFaults(faults);
      const journal = await journals.journal(state.volume);
      if (state.paused) await journal.pauseDistribution();
      else journal.resumeDistribution();
      return state;
    },
  };
}
