// Exports of the worker's bundle: the workflow types by name, and one that answers to every other
// name.
export { moveBatch } from './batch/move-batch.js';
export { moveVolume } from './move/move-volume.js';
export { verifyVolume } from './verify/verify-volume.js';
export { unknownWorkflow as default } from './shared/unknown-workflow.js';
