// The splitter's control API: one core function a call, which stores what it changed before it answers.
import type { Logger } from 'pino';
import { createApiClient } from '../../control/client.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import type { splitterApi } from '../../contracts/splitter-api.js';
import type { Handlers } from '../control/handlers.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import type { SplitterCore } from './core/splitter-core.js';
import type { HeldAcknowledgements } from './held-acknowledgements.js';
import type { Scans } from './scans.js';

/** Longest wait for the new appliance's sign of life, in milliseconds. */
const REACH_MS_MAX = 3_000;

export interface ControlCallsOptions {
  readonly core: SplitterCore;
  readonly held: HeldAcknowledgements;
  readonly scans: Scans;
  readonly token: string | undefined;
  readonly clock: ProcessClock;
  readonly log: Logger;
}

export function controlCalls({
  core,
  held,
  scans,
  token,
  clock,
  log,
}: ControlCallsOptions): Handlers<typeof splitterApi> {
  const released = <T>(answer: T): T => {
    held.release();
    return answer;
  };
  return {
    inventory: (input) => ({ ...core.inventory(input), clock: clock.view }),
    notify: async (input, { signal }) => {
      const answer = core.notify(input);
      log.info({ attempt: input.attempt, to: input.to.group }, 'notified of a move');
      await reach(input.to.url, token, signal);
      return answer;
    },
    fence: (input) => core.fence(input, clock.now()),
    confirm: (input) => released(core.confirm(input, clock.monotonicMs)),
    renew: (input) => core.renew(input, clock.monotonicMs),
    learn: (input) => {
      const { volumes, learned } = core.learn(input, clock.wallMs);
      log.info({ attempt: input.attempt, verdict: input.verdict }, 'verdict learned');
      return { volumes, learned };
    },
    cut: (input) => core.cut(input, clock.now()),
    confirmCut: (input) => released(core.confirmCut(input, clock.monotonicMs)),
    openScan: async (input) => scans.open(input),
    readScan: async (input) => scans.read(input),
    closeScan: ({ scan }) => {
      scans.close(scan);
      return {};
    },
  };
}

/** @throws MoverError UNREACHABLE */
async function reach(baseUrl: string, token: string | undefined, signal: AbortSignal): Promise<void> {
  try {
    await createApiClient(applianceApi, { baseUrl, token, timeoutMs: REACH_MS_MAX }).health({}, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new MoverError('UNREACHABLE', `The new appliance at ${baseUrl} can't be reached from here.`, { cause });
  }
}
