// Workflow ids of a batch's moves. The same try always gets the same id, however often the batch's
// code runs.
import type { BatchItem } from '../../../contracts/batch.js';

/** Whether the ids of a batch's moves have the names of their volumes. */
export type Naming = 'named' | 'numbered';

/**
 * The workflow id of one try of a move. @example "weekend/17-vm-4-disk-0", its second try
 * "weekend/17-vm-4-disk-0-try-2", tried again on request "…-again-1", without names "weekend/17"
 */
export function childIdOf(
  batchWorkflowId: string,
  { seq, volumes }: Pick<BatchItem, 'seq' | 'volumes'>,
  { round, starts }: { readonly round: number; readonly starts: number },
  naming: Naming = 'named',
): string {
  const again = round === 0 ? '' : `-again-${round}`;
  const tries = starts === 1 ? '' : `-try-${starts}`;
  const name = naming === 'named' ? `-${volumes[0] ?? ''}` : '';
  return `${batchWorkflowId}/${seq}${name}${again}${tries}`;
}
