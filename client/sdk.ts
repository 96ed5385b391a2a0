// The SDK client: everything a program needs to plan, start and follow moves, and to list and
// recover what is protected.
import { createHttpPorts } from '../control/http-ports.js';
import { planMove } from '../activities/plan.js';
import type { Ports } from '../control/ports.js';
import { parseOrRefuse } from '../contracts/errors.js';
import type { RecoveryPoint } from '../contracts/point.js';
import type { Estate } from '../contracts/estate.js';
import type { VolumeId } from '../contracts/ids.js';
import type { AccessId } from '../contracts/images.js';
import {
  type MoveInput,
  moveInputSchema,
  type MovePlan,
  type MoveProgress,
  type ParsedMoveInput,
} from '../contracts/move.js';
import type { Rebuilt } from '../contracts/repair.js';
import type { StoredMoveReport } from '../contracts/report.js';
import type { SplitterVolume } from '../contracts/splitter-api.js';
import type { VerifyHeartbeat, VerifyInput } from '../contracts/verify.js';
import { type BatchClient, Batches } from './batches/batches.js';
import { closePoint, type ClosePointInput, markPoint, type MarkPointInput } from './volumes/bookmarks.js';
import {
  listGroups,
  type ListedGroup,
  type ListedPoints,
  type ListedVolume,
  listPoints,
  listVolumes,
  ownerNamed,
  type PointOwner,
  type VolumeFilter,
} from './volumes/inventory.js';
import { type Move, Moves, type StartedMove, type StartMoveOptions, type WatchOptions } from './moves/moves.js';
import {
  closeAccess,
  type ListedAccess,
  type ListedAccesses,
  listAccesses,
  openAccess,
  OPENING_MS_MAX,
  type OpenAccessWords,
} from './images/accesses.js';
import { workerClockWarnings } from './moves/worker-clock.js';
import { getMove, getReport } from './moves/reports.js';
import {
  decideSource,
  rebuild,
  type RebuildOrder,
  type RepairsOptions,
  resync,
  type ResyncOrder,
  type SourceOrder,
  splitterView,
} from './volumes/repairs.js';
import { recover, type Recovered, type RecoverInput, type RecoverOptions } from './images/recover.js';
import { listHistory } from './timeline/load.js';
import { type ScheduleClient, Schedules } from './schedules/schedules.js';
import { connectTemporal, type TemporalAccess } from './temporal/connection.js';
import {
  type StartedVerify,
  type StartVerifyOptions,
  type Verification,
  Verifications,
} from './verifications/verifications.js';

export interface MoverClientOptions {
  /** Where everything listens; `readEstateFile` reads it from a file. */
  readonly estate: Estate;
  /** Bearer token of the control APIs; not sent when absent. */
  readonly token?: string | undefined;
  /** Longest wait for one control answer, in milliseconds; default 10 s. */
  readonly timeoutMs?: number | undefined;
  /**
   * A connection of your own, which `close` leaves open. Default: connects at the first call that
   * needs Temporal.
   */
  readonly temporal?: Omit<TemporalAccess, 'close'> | undefined;
  /**
   * Names another Temporal server by `TEMPORAL_ADDRESS` and its like; default: this process's
   * environment.
   */
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Every call rejects with a MoverError whose `code` is one of the registry's and whose `action`
 * says what to do. All of them may reject with UNREACHABLE; the codes named below come on top.
 */
export interface MoverClient {
  /** Every reason against a move, at once; changes nothing. @throws INVALID_REQUEST */
  planMove(input: MoveInput): Promise<MovePlan>;
  /**
   * Starts a move and returns at once. Repeating it with the same workflow id while that move runs
   * returns the running move.
   * @throws INVALID_REQUEST; ATTEMPT_MISMATCH when another move runs under the workflow id;
   * MOVE_REFUSED when it is planned first
   */
  startMove(input: MoveInput, options?: StartMoveOptions): Promise<StartedMove>;
  /**
   * By move id, or by workflow id (its newest move); by its stored report when Temporal has
   * forgotten it.
   * @throws MOVE_NOT_FOUND
   */
  getMove(moveId: string): Promise<Move>;
  /**
   * The final report of a move that ended, however it did, as the replica site keeps it: also when
   * Temporal's history is gone. By move id, or by workflow id (its newest move). @throws
   * REPORT_NOT_FOUND
   */
  getReport(moveId: string): Promise<StoredMoveReport>;
  /**
   * Yields the progress at each change until the move has ended.
   * @throws MOVE_NOT_FOUND; the signal's reason
   */
  watchMove(moveId: string, options?: WatchOptions): AsyncGenerator<MoveProgress, void>;
  /**
   * Asks a move to end. Before its commit everything goes back as it was; after it the move is
   * completed. A move that has ended stays as it is. @throws MOVE_NOT_FOUND
   */
  cancelMove(moveId: string): Promise<void>;
  /**
   * Starts comparing a volume with its replica, online, and returns at once. Repeating it with the
   * same workflow id while that one runs returns the running one. @throws INVALID_REQUEST;
   * ATTEMPT_MISMATCH when something else runs under the workflow id
   */
  startVerify(input: VerifyInput, options?: StartVerifyOptions): Promise<StartedVerify>;
  /**
   * The newest verification under a workflow id, with its verdict once there is one.
   * @throws MOVE_NOT_FOUND
   */
  getVerify(workflowId: string): Promise<Verification>;
  /**
   * Yields how far it is, at each sign of life, until it has ended.
   * @throws MOVE_NOT_FOUND; the signal's reason
   */
  watchVerify(workflowId: string, options?: WatchOptions): AsyncGenerator<VerifyHeartbeat, void>;
  /** Asks a verification to end; it never changes anything. @throws MOVE_NOT_FOUND */
  cancelVerify(workflowId: string): Promise<void>;
  /**
   * Of all volumes, or of those for which everything given is true.
   * @throws INVALID_REQUEST for a label that no volume can have
   */
  listVolumes(filter?: VolumeFilter): Promise<ListedVolume[]>;
  listGroups(): Promise<ListedGroup[]>;
  /** Oldest first. @throws GROUP_NOT_FOUND, VOLUME_NOT_FOUND */
  listPoints(owner: PointOwner): Promise<ListedPoints>;
  /**
   * As `listPoints`; of a group with the holes of its volumes too: what a timeline is made of.
   * @throws GROUP_NOT_FOUND, VOLUME_NOT_FOUND
   */
  listHistory(owner: PointOwner): Promise<ListedPoints>;
  /**
   * Closes a recovery point of a group now, as a bookmark if a name is given.
   * @throws INVALID_REQUEST, GROUP_NOT_FOUND, GROUP_PAUSED
   */
  closePoint(input: ClosePointInput): Promise<RecoveryPoint>;
  /**
   * Names a recovery point, or says anew how long its bookmark is kept.
   * @throws POINT_NOT_FOUND; INVALID_REQUEST when it has no name yet and none is given, or a move's
   * bookmark would be renamed
   */
  markPoint(input: MarkPointInput): Promise<RecoveryPoint>;
  /** Whether a name is a group's or a volume's. @throws VOLUME_NOT_FOUND when neither */
  ownerNamed(name: string): Promise<PointOwner>;
  /**
   * Copies a recovery point to sparse files.
   * @throws POINT_NOT_FOUND, POINT_TRIMMED, INVALID_REQUEST (a file exists)
   */
  recover(input: RecoverInput, options?: RecoverOptions): Promise<Recovered>;
  /**
   * Opens a recovery point of a group (all its volumes, or none) or of a volume as NBD disks,
   * read-only or with a scratch for writes. It stays open until it is closed, nobody was connected
   * for two hours, or its time is up (`forMs`, 12 hours by default, 7 days at most).
   * @throws POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT, INVALID_REQUEST,
   * ACCESS_MISMATCH; the signal's reason
   */
  openAccess(input: OpenAccessWords, options?: { readonly signal?: AbortSignal }): Promise<ListedAccess>;
  /** Of every appliance, newest first: those that are open, and the last that ended. */
  listAccesses(): Promise<ListedAccesses>;
  /**
   * Its clients are disconnected and its writes thrown away. Closed again it is no error.
   * @throws ACCESS_NOT_FOUND
   */
  closeAccess(access: AccessId): Promise<ListedAccess>;
  /**
   * Has a volume compared with its replica and what differs sent again, or given ranges sent
   * whatever the replica has. Repeated, it does no harm. @throws INVALID_REQUEST, VOLUME_NOT_FOUND,
   * VOLUME_BUSY, SOURCE_UNPROVEN, SOURCE_MISSING, FOREIGN_SOURCE
   */
  resync(order: ResyncOrder): Promise<SplitterVolume>;
  /**
   * Has a volume's history at the replica site made usable again; the splitter then compares the
   * volume by itself.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, CORRUPT
   */
  rebuild(order: RebuildOrder): Promise<Rebuilt>;
  /**
   * Decides for a volume whose disk is missing, foreign or unproven. A recovery is answered once it
   * has begun.
   * @throws INVALID_REQUEST, VOLUME_NOT_FOUND, SOURCE_PRESENT, SOURCE_DECISION_REFUSED,
   * VOLUME_BUSY, POINT_NOT_FOUND, POINT_UNAVAILABLE
   */
  decideSource(order: SourceOrder): Promise<SplitterVolume>;
  /**
   * What the splitter says of a volume, whatever the replica site knows.
   * @throws VOLUME_NOT_FOUND
   */
  splitterView(volume: VolumeId): Promise<SplitterVolume>;
  /** Batches: many moves under limits, in a window, with one report. */
  readonly batches: BatchClient;
  /** Schedules of batches. */
  readonly schedules: ScheduleClient;
  /** Closes the connection to Temporal if one was opened here. Safe to call more than once. */
  close(): Promise<void>;
}

/**
 * @throws MoverError INVALID_REQUEST when a URL of the estate can't be used. Connects to nothing
 * yet.
 */
export function createMoverClient(options: MoverClientOptions): MoverClient {
  const ports: Ports = createHttpPorts(options.estate, options);
  const patient: Ports = createHttpPorts(options.estate, { ...options, timeoutMs: OPENING_MS_MAX });
  const repairs: RepairsOptions = { ports: patient, estate: options.estate };
  const temporal = new LazyTemporal(options);
  const plan = async (input: ParsedMoveInput): Promise<MovePlan> => planWithClocks(ports, options.estate, input);
  const moves = new Moves(() => temporal.access(), plan);
  const verifications = new Verifications(() => temporal.access());
  return {
    planMove: async (input) => plan(parseOrRefuse(moveInputSchema, input, 'move')),
    startMove: (input, startOptions) => moves.start(input, startOptions),
    getMove: (moveId) => getMove(moves, ports, moveId),
    getReport: (moveId) => getReport(ports, moveId),
    watchMove: (moveId, watchOptions) => moves.watch(moveId, watchOptions),
    cancelMove: (moveId) => moves.cancel(moveId),
    startVerify: (input, startOptions) => verifications.start(input, startOptions),
    getVerify: (workflowId) => verifications.get(workflowId),
    watchVerify: (workflowId, watchOptions) => verifications.watch(workflowId, watchOptions),
    cancelVerify: (workflowId) => verifications.cancel(workflowId),
    listVolumes: (filter) => listVolumes(ports, filter),
    listGroups: () => listGroups(ports),
    listPoints: (owner) => listPoints(ports, owner),
    listHistory: (owner) => listHistory(ports, owner),
    closePoint: (input) => closePoint(ports, input),
    markPoint: (input) => markPoint(ports, input),
    ownerNamed: (name) => ownerNamed(ports, name),
    recover: (input, recoverOptions) => recover(ports, input, recoverOptions),
    openAccess: (input, { signal } = {}) => openAccess(patient, input, signal),
    listAccesses: () => listAccesses(ports),
    closeAccess: (access) => closeAccess(ports, access),
    resync: (order) => resync(repairs, order),
    rebuild: (order) => rebuild(repairs, order),
    decideSource: (order) => decideSource(repairs, order),
    splitterView: (volume) => splitterView(repairs, volume),
    batches: new Batches(() => temporal.access(), ports),
    schedules: new Schedules(() => temporal.access(), ports),
    close: () => temporal.close(),
  };
}

/**
 * The plan, with what this program finds of the worker's clock: the plan's own checks know the
 * others'.
 */
async function planWithClocks(ports: Ports, estate: Estate, input: ParsedMoveInput): Promise<MovePlan> {
  const [plan, worker] = await Promise.all([planMove(ports, input), workerClockWarnings(estate)]);
  const warnings = [...(plan.warnings ?? []), ...worker];
  return warnings.length === 0 ? plan : { ...plan, warnings };
}

/**
 * Most calls need no Temporal: it is connected to at the first that does. A failure to connect may
 * be tried again.
 */
class LazyTemporal {
  readonly #options: MoverClientOptions;
  #access: Promise<TemporalAccess> | undefined;

  constructor(options: MoverClientOptions) {
    this.#options = options;
  }

  async access(): Promise<TemporalAccess> {
    const { temporal, estate, environment } = this.#options;
    if (temporal !== undefined) return { ...temporal, close: async () => {} };
    this.#access ??= connectTemporal(estate, environment);
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
