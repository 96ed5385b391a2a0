// The splitter's control API. Each call is one core function, which stores its changes before the
// answer leaves.
import type { Logger } from 'pino';
import type { Credentials } from '../../control/credentials.js';
import { createApiClient } from '../../control/client.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { refuseUnconfirmed } from '../../contracts/lifecycle.js';
import type { splitterApi } from '../../contracts/splitter-api.js';
import type { Handlers } from '../control-server/handlers.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import type { SplitterCore } from './core/splitter-core.js';
import type { HeldAcknowledgements } from './volume/held-acknowledgements.js';
import type { ProtectedVolume } from './volume/protected-volume.js';
import { resync } from './marks/resync.js';
import type { Scans } from './volume/scans.js';
import type { SourceDecisions } from './source/source-decisions.js';
import type { VolumeFiles } from './files/volume-files.js';
import type { VolumeLife } from './volume-life.js';

/** Longest wait for the new appliance's health, in milliseconds. */
const REACH_MS_MAX = 3_000;

export interface ControlCallsOptions {
  readonly core: SplitterCore;
  readonly held: HeldAcknowledgements;
  readonly scans: Scans;
  readonly decisions: SourceDecisions;
  readonly life: VolumeLife;
  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  readonly find: (volume: VolumeId) => ProtectedVolume;
  readonly files: (volume: VolumeId) => VolumeFiles;
  /** There is something to compare or to send again. */
  readonly onDoubt: (volume: ProtectedVolume) => void;
  readonly credentials: Credentials | undefined;
  readonly clock: ProcessClock;
  readonly log: Logger;
}

export function controlCalls(options: ControlCallsOptions): Handlers<typeof splitterApi> {
  const { core, held, scans, decisions, life, find, files, onDoubt, credentials, clock, log } = options;
  const released = <T>(answer: T): T => {
    held.release();
    return answer;
  };
  return {
    inventory: (input) => ({ ...core.inventory(input), clock: clock.view }),
    notify: async (input, { signal }) => {
      const answer = core.notify(input);
      log.info({ attempt: input.attempt, to: input.to.group }, 'notified of a move');
      await reach(input.to.url, credentials, signal);
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
    addVolume: (input) => life.add(input),
    growVolume: async (input) => life.grow(input),
    retireVolume: (input) => life.retire(input, clock.wallMs),
    forgetVolume: (input) => {
      refuseUnconfirmed(input);
      return life.forget(input);
    },
    resync: async (input) => {
      const volume = find(input.volume);
      log.warn(
        { volume: volume.id, ranges: input.ranges?.length, operator: input.operator },
        'a person orders a resync',
      );
      await resync(volume, input, files(volume.id).marks);
      onDoubt(volume);
      return volume.split.describe();
    },
    decideSource: async (input) => {
      const volume = find(input.volume);
      log.warn(
        { volume: volume.id, decision: input.decision, operator: input.operator },
        'a decision about a source was received',
      );
      await decisions.decide(volume, input);
      return volume.split.describe();
    },
  };
}

/** @throws MoverError UNREACHABLE */
async function reach(baseUrl: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<void> {
  try {
    await createApiClient(applianceApi, { baseUrl, credentials, timeoutMs: REACH_MS_MAX }).health({}, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new MoverError('UNREACHABLE', `The new appliance at ${baseUrl} can't be reached from here.`, { cause });
  }
}
