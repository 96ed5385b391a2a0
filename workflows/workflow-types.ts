// The names under which workflows can be started.
export const WORKFLOW_TYPES = ['moveVolume'] as const;
