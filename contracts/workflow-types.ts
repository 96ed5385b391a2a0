// The names under which workflows can be started.
export const WORKFLOW_TYPES = ['moveBatch', 'moveVolume', 'verifyVolume'] as const;
