// Workflow ids of a batch's moves. The same try always gets the same id, however often the batch's
// code runs.
import type { BatchItem } from '../../../contracts/batch.js';

/**
 * The workflow id of one try of a move. @example "weekend/17-vm-4-disk-0", its second try
 * "weekend/17-vm-4-disk-0-try-2", tried again on request "…-again-1"
 */
export function childIdOf(
  batchWorkflowId: string,
  { seq, volumes }: Pick<BatchItem, 'seq' | 'volumes'>,
  { round, starts }: { readonly round: number; readonly starts: number },
): string {
  const again = round === 0 ? '' : `-again-${round}`;
  const tries = starts === 1 ? '' : `-try-${starts}`;
  return `${batchWorkflowId}/${seq}-${volumes[0] ?? ''}${again}${tries}`;
}
