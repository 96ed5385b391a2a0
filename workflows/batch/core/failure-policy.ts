// The failure policy: how many failures a batch tolerates before it stops.
import type { BatchOptions } from '../../../contracts/batch.js';
import type { Stop } from '../../../contracts/batch-run.js';

/** The stop that the policy demands after a failure; undefined when the batch continues. */
export function stopForFailures(
  policy: BatchOptions['failures'],
  { failed, planned }: { readonly failed: number; readonly planned: number },
): Stop | undefined {
  switch (policy.policy) {
    case 'continue':
      return undefined;
    case 'stop-now':
      return {
        why: 'failures',
        running: 'roll-back',
        text: 'A move failed, and the failure policy stops the batch at the first failure.',
      };
    case 'stop-after': {
      const { count, percent } = policy;
      const isOver = failed >= (count ?? Infinity) || (percent !== undefined && failed * 100 >= percent * planned);
      if (!isOver) return undefined;
      const text = `${failed} of ${planned} moves failed, which is the limit of the failure policy.`;
      return { why: 'failures', running: 'finish', text };
    }
  }
}
