// Names of the peer's task queue and workflow, shared by driver, worker and workflow. No imports:
// the workflow runs in Temporal's sandbox.
export const NOOP_QUEUE = 'bench-noop';
export const NOOP_WORKFLOW = 'fiveNoopActivities';
