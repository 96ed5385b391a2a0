// One log for a worker: its own lines and those of the SDK, workflows and activities, as pino's
// JSON lines.
import {
  DefaultLogger,
  makeTelemetryFilterString,
  type LogEntry,
  type LogLevel as SdkLogLevel,
  type Logger as SdkLogger,
  type RuntimeOptions,
} from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import { logDestination } from '../control/log-destination.js';
import { redact } from '../control/log-secrets.js';
import type { LogLevel } from './config.js';

/** What a worker needs of a log: methods that take fields, then a message. pino's loggers fit. */
export type WorkerLog = Readonly<
  Record<
    'trace' | 'debug' | 'info' | 'warn' | 'error',
    (fields: Readonly<Record<string, unknown>>, message: string) => void
  >
>;

/** The worker's own log on stderr. stdout is for the one line that says it is ready. */
export function createLog(id: string, level: LogLevel): Logger {
  return pino({ name: 'worker', level, base: { id }, redact }, logDestination);
}

const SDK_LEVELS: Readonly<Record<LogLevel, SdkLogLevel>> = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'ERROR',
  silent: 'ERROR',
};

export function sdkLogger(log: WorkerLog, level: LogLevel): SdkLogger {
  return new DefaultLogger(SDK_LEVELS[level], (entry) => forward(log, entry));
}

/** Base units and suffixes, as Prometheus advises. */
const NAMING = { countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true };

/**
 * Options for `Runtime.install`: everything goes to `log`. The SDK's own metrics are served at
 * `metricsAddress`, if one is given, with the names and units that Prometheus advises.
 */
export function runtimeOptions(log: WorkerLog, level: LogLevel, metricsAddress?: string): RuntimeOptions {
  return {
    logger: sdkLogger(log, level),
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'WARN' }) },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: { bindAddress: metricsAddress, ...NAMING } } }),
    },
  };
}

const PINO_LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<SdkLogLevel, keyof WorkerLog>;

function forward(log: WorkerLog, { level, message, meta }: LogEntry): void {
  const { error, ...fields }: Readonly<Record<string, unknown>> = { ...meta };
  log[PINO_LEVELS[level]](withoutBigints(error === undefined ? fields : { ...fields, err: error }), message);
}

/**
 * Drops bigints, which are no JSON. The only one is the SDK's time stamp, and pino adds its own.
 */
function withoutBigints(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value !== 'bigint'));
}
