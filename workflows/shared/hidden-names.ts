// A workflow whose starter hides names: nothing that Temporal stores in clear has the name of a
// volume or group. The memo says so, so that every worker and every replay does the same.
import { inWorkflowContext, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import { HIDDEN_MEMO, withoutNames } from '../../contracts/search-pairs.js';

/** Whether names are hidden in the workflow that runs now. */
export function hidesNames(): boolean {
  return inWorkflowContext() && workflowInfo().memo?.[HIDDEN_MEMO] === true;
}

/** Those of the attributes that this workflow may set. */
export function settable<Pair extends SearchAttributePair>(pairs: readonly Pair[]): Pair[] {
  return hidesNames() ? withoutNames(pairs) : [...pairs];
}

/** Sets search attributes, without those that name anything in a workflow that hides names. */
export function setSearchAttributes(pairs: readonly SearchAttributePair[]): void {
  const shown = settable(pairs);
  if (shown.length > 0) upsertSearchAttributes(shown);
}
