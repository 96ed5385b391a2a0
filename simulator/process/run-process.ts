// The life of a simulator process: configuration, log, one ready line, one orderly stop. An
// unforeseen error ends it at once.
import { type Logger, pino } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { logDestination } from '../../control/log-destination.js';
import { redact } from '../../control/log-secrets.js';
import { type ProcessConfig, type ProcessRole, readProcessConfig } from './config.js';
import { type FolderLock, lockDataFolder } from './data-folder.js';
import type { ReadyLine } from './ready-line.js';

export interface RunningProcess {
  readonly url: string;
  readonly nbd?: ReadyLine['nbd'];
  readonly stop: () => Promise<void>;
}

export type StartProcess = (config: ProcessConfig, log: Logger) => Promise<RunningProcess>;

/** Longest orderly stop, ms. State survives kill -9, so cutting a stop short loses nothing. */
const STOP_GRACE_MS = 10_000;

/**
 * Runs until SIGINT or SIGTERM (exit code 0), or until something fails (1). A process's entry point
 * calls it once.
 */
export async function runProcess(role: ProcessRole, start: StartProcess): Promise<void> {
  let log = pino({ name: role, redact }, logDestination);
  let lock: FolderLock | undefined;
  const fail = (error: unknown, message: string): void => {
    log.fatal({ err: error }, message);
    lock?.release();
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fail(error, 'uncaught exception'));
  process.on('unhandledRejection', (error) => fail(error, 'unhandled rejection'));

  try {
    const config = readProcessConfig(role);
    log = log.child({ id: config.id }, { level: config.logLevel });
    lock = lockDataFolder(config.dataFolder);
    const stopAsked = whenAskedToStop();
    const running = await start(config, log);
    // Logged first: whoever reads the ready line also finds it in the log, even after kill -9.
    log.info({ url: running.url, nbd: running.nbd }, 'ready');
    announce({
      ready: true,
      role,
      id: config.id,
      url: running.url,
      ...(running.nbd === undefined ? {} : { nbd: running.nbd }),
    });

    log.info({ because: await stopAsked }, 'stopping');
    const grace = setTimeout(() => {
      log.warn({ graceMs: STOP_GRACE_MS }, 'stopped without waiting any longer');
      lock?.release();
      process.exit(0);
    }, STOP_GRACE_MS);
    await running.stop();
    clearTimeout(grace);
    log.info('stopped');
    lock.release();
    process.exit(0);
  } catch (error) {
    fail(error, error instanceof MoverError ? error.message : 'failed');
  }
}

function announce(line: ReadyLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/**
 * Resolves to the reason of the first stop request. A parent whose children must end with it holds
 * their stdin open: it closes however the parent dies.
 */
async function whenAskedToStop(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve('SIGINT'));
    process.once('SIGTERM', () => resolve('SIGTERM'));
    if (process.env['VOLUME_MOVER_EXIT_WITH_PARENT'] !== '1') return;
    process.stdin.on('end', () => resolve('parent gone'));
    process.stdin.on('error', () => resolve('parent gone'));
    process.stdin.resume();
  });
}
