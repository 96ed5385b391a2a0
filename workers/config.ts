// A worker's configuration from its environment, checked before anything starts.
import { hostname } from 'node:os';
import { z } from 'zod';
import { parseOrRefuse } from '../contracts/errors.js';
import type { Estate } from '../contracts/estate.js';
import { clockAgreesSchema } from '../control/clock/agrees-after.js';
import { AllFaults } from '../control/all-faults.js';
import { type Credentials, readCredentials } from '../control/credentials.js';
import { readEstateFile, withoutEmpty } from '../control/estate-file.js';
import { readHooksFile } from '../control/hooks-file.js';
import type { Hook } from '../contracts/hooks.js';
import { ID_LENGTH_MAX } from '../contracts/ids.js';
import type { Deployment } from './create-worker.js';
import { readTemporalSettings, type TemporalSettings } from '../control/temporal-settings.js';

export type LogLevel = z.infer<typeof logLevelSchema>;

export interface WorkerConfig {
  /** The worker's name in histories, logs and /healthz. */
  readonly id: string;
  /** Path of the estate file, which is followed while the worker runs. */
  readonly estateFile: string;
  readonly estate: Estate;
  readonly temporal: TemporalSettings;
  /** What the control APIs are shown. */
  readonly credentials: Credentials;
  readonly logLevel: LogLevel;
  /** `host:port` for the worker's Prometheus metrics; no metrics when absent. */
  readonly metricsAddress?: string | undefined;
  readonly deployment?: Deployment | undefined;
  /** Whether the worker ends when its stdin does, so that it never outlives its parent. */
  readonly exitWithParent: boolean;
  /** How long the wall clock must agree with monotonic time to be believed, ms. Default: 5 min. */
  readonly clockAgreesAfterMs?: number | undefined;
  /** What it runs around the fences of moves. */
  readonly hooks: readonly Hook[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const logLevelSchema = z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
const environmentSchema = z
  .object({
    VOLUME_MOVER_ESTATE: z.string({ error: 'must be set to the path of the estate file' }),
    VOLUME_MOVER_ID: z.string().max(ID_LENGTH_MAX).optional(),
    VOLUME_MOVER_LOG_LEVEL: logLevelSchema.default('info'),
    VOLUME_MOVER_METRICS: z
      .string()
      .regex(/^.+:\d+$/, 'host:port, for example 127.0.0.1:9464')
      .optional(),
    VOLUME_MOVER_DEPLOYMENT: z.string().optional(),
    VOLUME_MOVER_BUILD_ID: z.string().optional(),
    VOLUME_MOVER_CLOCK_AGREES_S: clockAgreesSchema.optional(),
    VOLUME_MOVER_HOOKS: z.string().optional(),
    VOLUME_MOVER_EXIT_WITH_PARENT: z.enum(['0', '1'], { error: '"1" for yes, "0" or nothing for no' }).default('0'),
  })
  .refine((read) => (read.VOLUME_MOVER_DEPLOYMENT === undefined) === (read.VOLUME_MOVER_BUILD_ID === undefined), {
    path: ['VOLUME_MOVER_BUILD_ID'],
    error: 'set together with VOLUME_MOVER_DEPLOYMENT, or neither',
  });

/**
 * Reads the configuration. @throws MoverError INVALID_REQUEST naming every variable, or every field
 * of the estate file, that is at fault.
 */
export function readWorkerConfig(environment: Environment = process.env): WorkerConfig {
  const given = withoutEmpty(environment);
  const faults = new AllFaults();
  const read = faults.of(() => parseOrRefuse(environmentSchema, given, 'environment'));
  const path = given['VOLUME_MOVER_ESTATE'];
  const estate = path === undefined ? undefined : faults.of(() => readEstateFile(path));
  const temporal = faults.of(() => readTemporalSettings(given, estate));
  const credentials = faults.of(() => readCredentials(given));
  const hooks = faults.of(() => readHooksFile(given['VOLUME_MOVER_HOOKS']));
  if (
    read === undefined ||
    estate === undefined ||
    temporal === undefined ||
    credentials === undefined ||
    hooks === undefined
  )
    throw faults.refusal ?? new Error('A setting that is missing is a fault.');
  return {
    id: read.VOLUME_MOVER_ID ?? `worker-${hostname()}-${process.pid}`,
    estateFile: read.VOLUME_MOVER_ESTATE,
    estate,
    temporal,
    credentials,
    logLevel: read.VOLUME_MOVER_LOG_LEVEL,
    metricsAddress: read.VOLUME_MOVER_METRICS,
    deployment: deploymentOf(read.VOLUME_MOVER_DEPLOYMENT, read.VOLUME_MOVER_BUILD_ID),
    exitWithParent: read.VOLUME_MOVER_EXIT_WITH_PARENT === '1',
    clockAgreesAfterMs: read.VOLUME_MOVER_CLOCK_AGREES_S,
    hooks,
  };
}

function deploymentOf(name: string | undefined, buildId: string | undefined): Deployment | undefined {
  return name === undefined || buildId === undefined ? undefined : { name, buildId };
}
