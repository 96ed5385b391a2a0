// What the worker's bundle offers: the workflow types by name, and one that answers to every other name.
export { moveBatch } from './move-batch.js';
export { moveVolume } from './move-volume.js';
export { verifyVolume } from './verify-volume.js';
export { unknownWorkflow as default } from './unknown-workflow.js';
