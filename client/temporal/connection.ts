// The client's connection to Temporal: the server that a worker with the same settings uses too.
import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { readCodecSettings } from '../../control/codec/read-codec.js';
import type { Estate } from '../../contracts/estate.js';
import { AllFaults } from '../../control/all-faults.js';
import { TASK_QUEUE } from '../../contracts/move.js';
import { readTemporalSettings, type TemporalSettings } from '../../control/temporal-settings.js';
import { readTaskQueue } from '../../control/worker-settings.js';
import { fromConnecting } from './failure.js';
import { uiUrlOf } from './ui-url.js';

/** Longest wait for a connection, ms. A server on the same continent answers in a tenth of it. */
const CONNECT_TIMEOUT_MS = 5_000;

/** A Temporal client, with the address of the Web UI. */
export interface TemporalAccess {
  readonly client: Client;
  /** Base URL of the Web UI; undefined when unknown. */
  readonly uiUrl: string | undefined;
  /** Whether what it starts names no volume and no group in clear. Default: it does. */
  readonly hidesNames?: boolean | undefined;
  /** The task queue on which workflows start. Default: `volume-mover`. */
  readonly taskQueue?: string | undefined;
  /** Safe to call more than once. */
  readonly close: () => Promise<void>;
}

/** The task queue on which workflows of this access start. */
export function taskQueueOf({ taskQueue = TASK_QUEUE }: Pick<TemporalAccess, 'taskQueue'>): string {
  return taskQueue;
}

/** A run's page in the Web UI; undefined when the UI's address is unknown. */
export function workflowUrl(
  { client, uiUrl }: Pick<TemporalAccess, 'client' | 'uiUrl'>,
  workflowId: string,
  runId: string,
): string | undefined {
  const { namespace } = client.options;
  const path = ['namespaces', namespace, 'workflows', workflowId, runId].map(encodeURIComponent).join('/');
  return uiUrl === undefined ? undefined : `${uiUrl}/${path}`;
}

/**
 * Connects to the server that `readTemporalSettings` finds: by `TEMPORAL_*` variables, the estate
 * file, or temporal.toml. `VOLUME_MOVER_TEMPORAL_UI_URL` has the address of the UI.
 * @throws MoverError UNREACHABLE; UNAUTHORIZED or FORBIDDEN when the server refuses this client;
 * INVALID_REQUEST for settings that can't be used
 */
export async function connectTemporal(
  estate: Partial<Pick<Estate, 'temporal' | 'worker'>>,
  environment: NodeJS.ProcessEnv = process.env,
  own?: PayloadCodec,
): Promise<TemporalAccess> {
  const faults = new AllFaults();
  const settings = faults.of(() => readTemporalSettings(environment, estate));
  const uiUrl = faults.of(() => uiUrlFor(environment, estate, settings));
  const taskQueue = faults.of(() => readTaskQueue(environment, estate));
  const codecs = faults.of(() => readCodecSettings(environment));
  if (settings === undefined || faults.refusal !== undefined)
    throw faults.refusal ?? new Error('A setting that is missing is a fault.');
  const codec = own ?? (await codecs?.open());
  const { namespace } = settings;
  const connection = await connect(settings);
  const payloadCodecs = codec === undefined ? [] : [codec];
  return {
    client: new Client({ connection, namespace, dataConverter: { payloadCodecs } }),
    uiUrl,
    taskQueue,
    hidesNames: codecs?.hidesNames === true || own !== undefined,
    close: () => connection.close(),
  };
}

function uiUrlFor(
  environment: NodeJS.ProcessEnv,
  { temporal }: Pick<Estate, 'temporal'>,
  settings: TemporalSettings | undefined,
): string | undefined {
  const isOfEstate = temporal !== undefined && settings?.source === 'estate file';
  const ofEstate = isOfEstate ? `http://${temporal.host}:${temporal.uiPort}` : undefined;
  return uiUrlOf(environment, settings?.connection.address, ofEstate);
}

async function connect({ connection, keySetting }: TemporalSettings): Promise<Connection> {
  try {
    return await Connection.connect({ ...connection, connectTimeout: CONNECT_TIMEOUT_MS });
  } catch (cause) {
    throw fromConnecting(cause, connection.address, keySetting);
  }
}
