// The life of a simulator process: configuration, log, one ready line, one orderly stop; anything
// unforeseen ends it at once.
import { type Logger, pino } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { logDestination } from '../../control/log-destination.js';
import { type ProcessConfig, type ProcessRole, readProcessConfig } from './config.js';
import { type FolderLock, lockDataFolder } from './data-folder.js';
import type { ReadyLine } from './ready-line.js';

export interface RunningProcess {
  readonly url: string;
  readonly nbd?: ReadyLine['nbd'];
  readonly stop: () => Promise<void>;
}

export type StartProcess = (config: ProcessConfig, log: Logger) => Promise<RunningProcess>;

/**
 * Longest orderly stop, in milliseconds. State is kept across kill -9, so a cut-off stop loses
 * nothing.
 */
const STOP_GRACE_MS = 10_000;

/**
 * Runs until SIGINT or SIGTERM (exit code 0), or until something fails (1). To be called once, by a
 * process's entry.
 */
export async function runProcess(role: ProcessRole, start: StartProcess): Promise<void> {
  let log = pino({ name: role }, logDestination);
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
    // The log first: whoever has read the ready line finds it in the log, too, even after kill -9.
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
 * Resolves to why, once. A parent that wants its children gone with it holds their stdin open,
 * however it dies.
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
