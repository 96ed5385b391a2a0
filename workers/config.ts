// A worker's configuration from its environment, checked before anything starts.
import { hostname } from 'node:os';
import { z } from 'zod';
import { parseOrRefuse } from '../contracts/errors.js';
import type { Estate } from '../contracts/estate.js';
import { clockAgreesSchema } from '../control/clock/agrees-after.js';
import { AllFaults } from '../control/all-faults.js';
import { type CodecSettings, readCodecSettings } from '../control/codec/read-codec.js';
import { type Credentials, readCredentials } from '../control/credentials.js';
import { readEstateFile, withoutEmpty } from '../control/estate-file.js';
import { readHooksFile } from '../control/hooks-file.js';
import type { Hook } from '../contracts/hooks.js';
import { ID_LENGTH_MAX } from '../contracts/ids.js';
import type { WorkerSettings } from '../contracts/worker-settings.js';
import type { Deployment } from './create-worker.js';
import { readTemporalSettings, type TemporalSettings } from '../control/temporal-settings.js';
import { readWorkerSettings } from '../control/worker-settings.js';

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
  /** What stands between the worker and Temporal. */
  readonly codec: CodecSettings;
  /** Slots, pollers, rates and the task queue. */
  readonly settings: WorkerSettings;
  readonly logLevel: LogLevel;
  /** Where the worker answers for its health, and tells its metrics. Port 0 takes a free one. */
  readonly health: { readonly host: string; readonly port: number };
  /**
   * `host:port` where the Temporal SDK serves its own metrics; default: a free port of loopback.
   * /metrics of the worker has them, too.
   */
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
/** `host:port`; an IPv6 address has brackets. */
const ADDRESS = /^(?:\[(?<v6>[\da-f:.]+)\]|(?<host>[^\s:/@[\]]+)):(?<port>\d{1,5})$/i;
const PORT_MAX = 65_535;
const addressSchema = z.string().transform((text, context) => {
  const { v6, host = v6, port } = ADDRESS.exec(text)?.groups ?? {};
  if (host !== undefined && Number(port) <= PORT_MAX) return { host, port: Number(port) };
  context.addIssue('host:port, for example 127.0.0.1:18300; port 0 takes a free one');
  return z.NEVER;
});
const environmentSchema = z
  .object({
    VOLUME_MOVER_ESTATE: z.string({ error: 'must be set to the path of the estate file' }),
    VOLUME_MOVER_ID: z.string().max(ID_LENGTH_MAX).optional(),
    VOLUME_MOVER_LOG_LEVEL: logLevelSchema.default('info'),
    VOLUME_MOVER_HEALTH: addressSchema.optional(),
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
  const codec = faults.of(() => readCodecSettings(given));
  const settings = faults.of(() => readWorkerSettings(given, estate ?? {}));
  const hooks = faults.of(() => readHooksFile(given['VOLUME_MOVER_HOOKS']));
  if (
    read === undefined ||
    estate === undefined ||
    temporal === undefined ||
    credentials === undefined ||
    codec === undefined ||
    settings === undefined ||
    hooks === undefined
  )
    throw faults.refusal ?? new Error('A setting that is missing is a fault.');
  return {
    id: read.VOLUME_MOVER_ID ?? `worker-${hostname()}-${process.pid}`,
    estateFile: read.VOLUME_MOVER_ESTATE,
    estate,
    temporal,
    credentials,
    codec,
    settings,
    logLevel: read.VOLUME_MOVER_LOG_LEVEL,
    health: read.VOLUME_MOVER_HEALTH ?? estate.worker.health,
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
