// The SDK client: plans, starts and follows moves; lists and recovers what is protected.
import type { PayloadCodec } from '@temporalio/common';
import { createHttpPorts } from '../control/http-ports.js';
import type { Ports } from '../control/ports.js';
import type { Estate } from '../contracts/estate.js';
import { readTaskQueue } from '../control/worker-settings.js';
import { type AuditClient, createAuditClient } from './audit/audit-client.js';
import type { Credentials } from '../control/credentials.js';
import { Batches } from './batches/batches.js';
import type { BatchClient } from './batches/batch-client.js';
import { createEstateClient, type EstateClient } from './declaration/estate-client.js';
import type { DoctorClient } from './doctor/doctor-client.js';
import { Doctor } from './doctor/doctor.js';
import { OPENING_MS_MAX } from './images/accesses.js';
import { createImageClient, type ImageClient } from './images/image-client.js';
import { Moves } from './moves/moves.js';
import type { MoveClient } from './moves/move-client.js';
import {
  type ApplianceClient,
  createApplianceClient,
  createSplitterClient,
  type SplitterClient,
} from './processes/process-client.js';
import { createPointClient, type PointClient } from './points/point-client.js';
import { type ScheduleClient, Schedules } from './schedules/schedules.js';
import { connectTemporal, type TemporalAccess } from './temporal/connection.js';
import { Verifications } from './verifications/verifications.js';
import type { VerificationClient } from './verifications/verification-client.js';
import { createGroupClient, createVolumeClient, type GroupClient, type VolumeClient } from './volumes/volume-client.js';

export interface MoverClientOptions {
  /** Addresses of all processes; `readEstateFile` reads them from a file. */
  readonly estate: Estate;
  /** Bearer token of the control APIs; not sent when absent. Short for `credentials`. */
  readonly token?: string | undefined;
  /** Token and certificate for the control APIs; `readCredentials` reads the environment. */
  readonly credentials?: Credentials | undefined;
  /** Longest wait for one control answer, in milliseconds; default 10 s. */
  readonly timeoutMs?: number | undefined;
  /**
   * Your own connection, which `close` leaves open. Default: connects at the first call that needs
   * Temporal.
   */
  readonly temporal?: Omit<TemporalAccess, 'close'> | undefined;
  /** Encrypts what Temporal keeps. Default: as `VOLUME_MOVER_CODEC` says. */
  readonly codec?: PayloadCodec | undefined;
  /**
   * Environment whose `TEMPORAL_*` variables may name another server. Default: this process's
   * environment.
   */
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * The SDK client. Every call rejects with a MoverError: `code` is one of the registry's, `action`
 * says what to do. All may reject with UNREACHABLE, in addition to the codes named at a call.
 */
export interface MoverClient {
  readonly moves: MoveClient;
  /** Online comparisons of a volume with its replica. */
  readonly verifications: VerificationClient;
  /** Many moves under limits, in a window, with one report. */
  readonly batches: BatchClient;
  /** Batches started at set times. */
  readonly schedules: ScheduleClient;
  /** Recovery points, bookmarks and histories; recovery to files. */
  readonly points: PointClient;
  /** Recovery points as open disks. */
  readonly images: ImageClient;
  readonly volumes: VolumeClient;
  readonly groups: GroupClient;
  readonly appliances: ApplianceClient;
  readonly splitters: SplitterClient;
  /** The estate as a whole: how its file differs from what runs, and what makes both the same. */
  readonly estate: EstateClient;
  /** Finds what moves left behind that no longer run, and mends what is safe. */
  readonly doctor: DoctorClient;
  /** Who called what at which process. */
  readonly audit: AuditClient;
  /** Closes the connection to Temporal if the client opened it. Safe to call more than once. */
  close(): Promise<void>;
}

/**
 * Makes a client; connects to nothing yet. @throws MoverError INVALID_REQUEST when a URL of the
 * estate can't be used
 */
export function createMoverClient(options: MoverClientOptions): MoverClient {
  const { estate, token, credentials = { token }, timeoutMs } = options;
  const ports: Ports = createHttpPorts(estate, { credentials, timeoutMs });
  const patient: Ports = createHttpPorts(estate, { credentials, timeoutMs: OPENING_MS_MAX });
  const lazy = new LazyTemporal(options);
  const temporal = async (): Promise<TemporalAccess> => lazy.access();
  const batches = new Batches(temporal, ports);
  const schedules = new Schedules(temporal, ports);
  const images = createImageClient(ports, patient);
  const declared = createEstateClient(ports, estate, (other) => createHttpPorts(other, { credentials, timeoutMs }));
  return {
    moves: new Moves({ temporal, ports, estate }),
    verifications: new Verifications(temporal),
    batches,
    schedules,
    points: createPointClient(ports),
    images,
    volumes: createVolumeClient(ports, patient, estate),
    groups: createGroupClient(ports),
    appliances: createApplianceClient(ports, batches),
    splitters: createSplitterClient(ports),
    estate: declared,
    doctor: new Doctor({ temporal, ports, estate: declared, schedules, images }),
    audit: createAuditClient(ports),
    close: async () => lazy.close(),
  };
}

/**
 * Connects to Temporal at the first call that needs it; most don't. A failed connection may be
 * retried.
 */
class LazyTemporal {
  readonly #options: MoverClientOptions;
  #access: Promise<TemporalAccess> | undefined;

  constructor(options: MoverClientOptions) {
    this.#options = options;
  }

  async access(): Promise<TemporalAccess> {
    const { temporal, estate, codec, environment = process.env } = this.#options;
    if (temporal !== undefined)
      return { taskQueue: readTaskQueue(environment, estate), ...temporal, close: async () => {} };
    this.#access ??= connectTemporal(estate, environment, codec);
    try {
      return await this.#access;
    } catch (error) {
      this.#access = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    const access = await this.#access?.catch(() => undefined);
    this.#access = undefined;
    await access?.close();
  }
}
