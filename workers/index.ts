// The package's entry for a worker inside a program: one call, with its own ports and log.
export { startWorker, type RunningWorker, type StartWorkerOptions } from './start-worker.js';
export type { BatchSettings } from '../activities/batch/create-batch-activities.js';
export { createHttpPorts, type HttpPortsOptions } from '../control/http-ports.js';
export type { AppliancePort, Ports, SplitterPort } from '../control/ports.js';
export type { Deployment } from './create-worker.js';
export type { WorkerSettings } from '../contracts/worker-settings.js';
export type { LogLevel } from './config.js';
export type { WorkerLog } from './logging.js';
