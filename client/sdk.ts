// The SDK client: everything a program needs to plan, start and follow moves, and to list and recover what is protected.
import { createHttpPorts } from '../activities/http-ports.js';
import { planMove } from '../activities/plan.js';
import type { Ports } from '../activities/ports.js';
import { parseOrRefuse } from '../contracts/errors.js';
import type { Estate } from '../contracts/estate.js';
import { type MoveInput, moveInputSchema, type MovePlan, type MoveProgress } from '../contracts/move.js';
import {
  listGroups,
  type ListedGroup,
  type ListedPoints,
  type ListedVolume,
  listPoints,
  listVolumes,
  ownerNamed,
  type PointOwner,
} from './inventory.js';
import { type Move, Moves, type StartedMove, type StartMoveOptions, type WatchOptions } from './moves.js';
import { recover, type Recovered, type RecoverInput, type RecoverOptions } from './recover.js';
import { connectTemporal, type TemporalAccess } from './temporal.js';

export interface MoverClientOptions {
  /** Where everything listens; `readEstateFile` reads it from a file. */
  readonly estate: Estate;
  /** Bearer token of the control APIs; not sent when absent. */
  readonly token?: string | undefined;
  /** Longest wait for one control answer, in milliseconds; default 10 s. */
  readonly timeoutMs?: number | undefined;
  /** A connection of your own, which `close` leaves open. Default: connects at the first call that needs Temporal. */
  readonly temporal?: Omit<TemporalAccess, 'close'> | undefined;
  /** Names another Temporal server by `TEMPORAL_ADDRESS` and its like; default: this process's environment. */
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Every call rejects with a MoverError whose `code` is one of the registry's and whose `action` says what to do. All of them may
 * reject with UNREACHABLE; the codes named below come on top.
 */
export interface MoverClient {
  /** Every reason against a move, at once; changes nothing. @throws INVALID_REQUEST */
  planMove(input: MoveInput): Promise<MovePlan>;
  /**
   * Starts a move and returns at once. Repeating it with the same workflow id while that move runs returns the running move.
   * @throws INVALID_REQUEST; ATTEMPT_MISMATCH when another move runs under the workflow id
   */
  startMove(input: MoveInput, options?: StartMoveOptions): Promise<StartedMove>;
  /** By move id, or by workflow id (its newest move). @throws MOVE_NOT_FOUND */
  getMove(moveId: string): Promise<Move>;
  /** Yields the progress at each change until the move has ended. @throws MOVE_NOT_FOUND; the signal's reason */
  watchMove(moveId: string, options?: WatchOptions): AsyncGenerator<MoveProgress, void>;
  /**
   * Asks a move to end. Before its commit everything goes back as it was; after it the move is completed. A move that has
   * ended stays as it is. @throws MOVE_NOT_FOUND
   */
  cancelMove(moveId: string): Promise<void>;
  listVolumes(): Promise<ListedVolume[]>;
  listGroups(): Promise<ListedGroup[]>;
  /** Oldest first. @throws GROUP_NOT_FOUND, VOLUME_NOT_FOUND */
  listPoints(owner: PointOwner): Promise<ListedPoints>;
  /** Whether a name is a group's or a volume's. @throws VOLUME_NOT_FOUND when neither */
  ownerNamed(name: string): Promise<PointOwner>;
  /** Copies a recovery point to sparse files. @throws POINT_NOT_FOUND, POINT_TRIMMED, INVALID_REQUEST (a file exists) */
  recover(input: RecoverInput, options?: RecoverOptions): Promise<Recovered>;
  /** Closes the connection to Temporal if one was opened here. Safe to call more than once. */
  close(): Promise<void>;
}

/** @throws MoverError INVALID_REQUEST when a URL of the estate can't be used. Connects to nothing yet. */
export function createMoverClient(options: MoverClientOptions): MoverClient {
  const ports: Ports = createHttpPorts(options.estate, options);
  const temporal = new LazyTemporal(options);
  const moves = new Moves(() => temporal.access());
  return {
    planMove: async (input) => planMove(ports, parseOrRefuse(moveInputSchema, input, 'move')),
    startMove: (input, startOptions) => moves.start(input, startOptions),
    getMove: (moveId) => moves.get(moveId),
    watchMove: (moveId, watchOptions) => moves.watch(moveId, watchOptions),
    cancelMove: (moveId) => moves.cancel(moveId),
    listVolumes: () => listVolumes(ports),
    listGroups: () => listGroups(ports),
    listPoints: (owner) => listPoints(ports, owner),
    ownerNamed: (name) => ownerNamed(ports, name),
    recover: (input, recoverOptions) => recover(ports, input, recoverOptions),
    close: () => temporal.close(),
  };
}

/** Most calls need no Temporal: it is connected to at the first that does. A failure to connect may be tried again. */
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
