// The demo: a whole estate, a guest that writes all the time, one move, and the proof that nothing
// was lost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { duration } from '../../client/text/format.js';
import type { Move } from '../../client/moves/move-client.js';
import { createMoverClient, type MoverClient } from '../../client/sdk.js';
import { connectTemporal } from '../../client/temporal/connection.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import { groupIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import type { MoveReport } from '../../contracts/move.js';
import { type Guest, startGuest } from '../guest/guest.js';
import type { LatencySummary } from '../guest/latency.js';
import { type EstateTemporal, planTemporal } from '../estate-temporal.js';
import { Cleanup } from '../../control/cleanup.js';
import { readCredentials } from '../../control/credentials.js';
import { launchEstate, type RunningEstate } from '../launch.js';
import { nbdAddressOf } from '../nbd-address.js';
import { waitUntilQuiet } from '../quiet.js';
import { Supervisor } from '../supervisor.js';
import { temporalTrouble } from '../temporal/reach.js';
import { servingInTime } from '../temporal/server.js';
import { demoEstate } from './demo-estate.js';
import type { Print, Stage } from './stages.js';
import { type Proof, proveMove } from './prove.js';

const VOLUME: VolumeId = volumeIdSchema.parse('vm-1-disk-0');
const TARGET: GroupId = groupIdSchema.parse('cg-silver');
/** Rate of a busy database; 2 cores that also run the whole estate serve it without queueing. */
const WRITES_PER_SECOND = 500;
/** How long the guest writes before and after the move, ms: two recovery points each. */
const BEFORE_MS = 3_000;
const AFTER_MS = 2_000;
/** Longest time for everything after the set-up, ms. */
const DEMO_MS_MAX = 60_000;
const QUIET_MS_MAX = 20_000;
/** Time between two progress lines about the guest, ms. */
const PRINT_INTERVAL_MS = 200;

export interface DemoReport {
  readonly move: MoveReport;
  /** The move's page in the Temporal UI, which works while the estate runs. */
  readonly url: string | undefined;
  readonly guest: {
    readonly seed: number;
    readonly acknowledged: number;
    readonly reconnections: number;
    /** Keyed by phase: `before`, `during` and `after` the move. */
    readonly latencies: Readonly<Record<string, LatencySummary>>;
  };
  readonly proof: Proof;
}

export interface Demo {
  readonly report: DemoReport;
  readonly estate: RunningEstate;
  /** Restarts processes that end from now on, as the proof is complete. */
  readonly keep: (print: Print) => void;
  /**
   * Stops everything and removes the demo's folder.
   * @throws Error when something can't be stopped; the rest is stopped
   */
  readonly stop: () => Promise<void>;
}

/** Runs the demo. @throws Error that says what is wrong; everything is then stopped */
export async function runDemo(stage: Stage, signal: AbortSignal): Promise<Demo> {
  const cleanup = new Cleanup();
  try {
    const folder = await mkdtemp(join(tmpdir(), 'volume-mover-demo-'));
    cleanup.add(async () => rm(folder, { recursive: true, force: true }));
    const { estate, temporal } = await setUp(stage, folder, cleanup);
    const interrupted = rejectionOf(AbortSignal.any([signal, AbortSignal.timeout(DEMO_MS_MAX)]));
    // A process that dies during the proof makes the demo fail with its reason.
    const died = [estate.failed, failureOf(temporal)];
    const report = await Promise.race([runStages(stage, estate, temporal, cleanup), interrupted, ...died]);
    return { report, estate, keep: (print) => keep(estate, temporal, cleanup, print), stop: cleanup.run };
  } catch (error) {
    await cleanup.afterFailure();
    throw error;
  }
}

interface RunningDemo {
  readonly estate: RunningEstate;
  readonly temporal: EstateTemporal;
}

async function setUp(stage: Stage, folder: string, cleanup: Cleanup): Promise<RunningDemo> {
  const temporal = await stage('Start Temporal', async (print) => openTemporal(folder, cleanup, print));
  const estate = await stage('Start the estate: replica site, 2 appliances, splitter, worker', async (print) =>
    launchEstate({ estate: await demoEstate(), dataDirectory: folder, temporal: temporal.access, log: print }),
  );
  cleanup.add(async () => estate.stop());
  return { estate, temporal };
}

/** Finds or starts Temporal. @throws Error when an existing server or our own can't be reached */
async function openTemporal(folder: string, cleanup: Cleanup, print: Print): Promise<EstateTemporal> {
  const files = { databaseFile: join(folder, 'temporal.db'), logFile: join(folder, 'temporal.log') };
  const temporal = await planTemporal({ port: 0, uiPort: 0, ...files, print });
  if (temporal.kind === 'existing') {
    const trouble = await temporalTrouble(temporal.server.connection);
    if (trouble !== undefined)
      throw new Error(
        `Temporal at ${temporal.server.address} cannot be reached: ${trouble}. Start it, or unset TEMPORAL_ADDRESS and TEMPORAL_PROFILE.`,
      );
    return temporal;
  }
  const { server } = temporal;
  cleanup.add(async () => server.stop());
  await server.begin();
  await servingInTime(server.serving());
  return temporal;
}

/** Rejects when a Temporal server of our own ends; never settles for an existing one. */
async function failureOf(temporal: EstateTemporal): Promise<never> {
  if (temporal.kind === 'existing') return await new Promise<never>(() => undefined);
  const { how, lastLines } = await temporal.server.ended();
  throw new Error([`The Temporal server ${how}.`, ...lastLines].join('\n  '));
}

function keep(estate: RunningEstate, temporal: EstateTemporal, cleanup: Cleanup, print: Print): void {
  const supervisor = new Supervisor({ print });
  void supervisor.start([...(temporal.kind === 'own' ? [temporal.server] : []), ...estate.stages.flat()]);
  cleanup.add(async () => supervisor.end());
}

async function runStages(
  stage: Stage,
  estate: RunningEstate,
  temporal: EstateTemporal,
  cleanup: Cleanup,
): Promise<DemoReport> {
  const client = await openClient(estate, temporal, cleanup);
  const address = await nbdAddressOf(estate.process('host-1'));
  const seed = Math.floor(Math.random() * 2 ** 32);
  const guest = await startGuest({
    address,
    volume: VOLUME,
    seed,
    writesPerSecond: WRITES_PER_SECOND,
    phase: 'before',
  });
  cleanup.add(async () => guest.abandon());
  const writing = async <T>(work: Promise<T>): Promise<T> => Promise.race([work, guest.failed]);

  await stage(`A guest writes to ${VOLUME}`, async (print) => writing(watchGuest(guest, BEFORE_MS, print)));
  guest.phase('during');
  const move = await stage(`Move ${VOLUME} from cg-gold to ${TARGET} while the guest writes`, async (print) =>
    writing(moveVolume(client, print)),
  );
  guest.phase('after');
  await stage('The guest keeps writing, now protected in the new group', async (print) =>
    writing(watchGuest(guest, AFTER_MS, print)),
  );
  await stage('The guest stops; wait until no write is in flight', async (print) => {
    await guest.stop();
    await waitUntilQuiet(client, { volume: VOLUME, timeoutMs: QUIET_MS_MAX, print });
    return guest.log.acknowledged;
  });
  const proof = await stage('Compare source, replica and bookmarks with what the guest wrote', async (print) =>
    proveMove(estate, move.report, guest, print),
  );
  return {
    move: move.report,
    url: move.url,
    guest: {
      seed,
      acknowledged: guest.log.acknowledged,
      reconnections: guest.reconnections,
      latencies: guest.latencies(),
    },
    proof,
  };
}

async function openClient(estate: RunningEstate, temporal: EstateTemporal, cleanup: Cleanup): Promise<MoverClient> {
  // An existing server needs the user's own settings (TLS, API key) from the environment.
  const environment = temporal.kind === 'existing' ? process.env : {};
  const access = await connectTemporal(estate.estate, environment);
  cleanup.add(access.close);
  return createMoverClient({
    estate: estate.estate,
    credentials: readCredentials(),
    temporal: { client: access.client, uiUrl: temporal.access.uiUrl },
  });
}

async function watchGuest(guest: Guest, forMs: number, print: Print): Promise<number> {
  const endAtMs = performance.now() + forMs;
  while (performance.now() < endAtMs) {
    print(`${guest.log.acknowledged} writes acknowledged`);
    await delay(Math.min(PRINT_INTERVAL_MS, forMs));
  }
  return guest.log.acknowledged;
}

async function moveVolume(client: MoverClient, print: Print): Promise<{ report: MoveReport; url: Move['url'] }> {
  const started = await client.moves.start({ volume: VOLUME, to: TARGET, operator: 'demo', reason: 'npm run demo' });
  let move: Move | undefined;
  for await (move of client.moves.follow(started.moveId)) {
    if (move.progress === undefined) continue;
    const { stage, steps } = move.progress;
    const done = steps.map(({ step, startedAtMs, endedAtMs }) => `${step} ${duration(endedAtMs - startedAtMs)}`);
    print([...done, stage].join(' → '));
  }
  const { report, error, state, url } = move ?? (await client.moves.get(started.moveId));
  if (report === undefined) throw error ?? new Error(`The move ended as ${state}.`);
  return { report, url };
}

async function rejectionOf(signal: AbortSignal): Promise<never> {
  return await new Promise<never>((_resolve, reject) => {
    const fail = (): void => {
      const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
      reject(timedOut ? new Error(`The demo did not finish within ${DEMO_MS_MAX} ms.`) : new Error('Interrupted.'));
    };
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
