// What driver, worker and workflow of the peer call it; free of imports, since the workflow runs in
// Temporal's sandbox.
export const NOOP_QUEUE = 'bench-noop';
export const NOOP_WORKFLOW = 'fiveNoopActivities';
