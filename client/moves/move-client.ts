// The SDK's client for moves.
import type { WayBack } from '../../contracts/attempt.js';
import type { MoveId } from '../../contracts/ids.js';
import type { Heartbeat, MoveInput, MovePlan, MoveProgress, MoveReport } from '../../contracts/move.js';
import type { OperatorRequest } from '../../contracts/request.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import type { SettledMove } from '../doctor/doctor-client.js';
import type { MoveFailure } from '../temporal/failure.js';
import type {
  DescribedWorkflow,
  ListedWorkflow,
  ListOptions,
  StartedWorkflow,
  StartOptions,
  WorkflowClient,
} from '../workflow-client.js';

export interface StartedMove extends StartedWorkflow {
  readonly moveId: MoveId;
  /** Set when it was started before under the workflow id, and no new one was started. */
  readonly isEarlier?: true;
  /** What `takeOver` ended; absent when it ended nothing. */
  readonly takenOver?: readonly SettledMove[];
}

export type MoveState = 'running' | 'moved' | MoveFailure['outcome'];

export interface Move extends StartedMove, DescribedWorkflow<MoveState, MoveProgress, MoveReport> {
  /**
   * How far the step that runs is: bytes left, how fast they become fewer, how long the fence has
   * been up. From the step's newest heartbeat, every 2 s; absent while there is none.
   */
  readonly doing?: Heartbeat;
  /**
   * The way back of a reversible move: until when it is open, or how it ended. Absent for other
   * moves, and while no appliance answers.
   */
  readonly wayBack?: WayBack;
  /** Why the step that runs is tried again; absent while its first try runs. */
  readonly retrying?: {
    /** Tries that failed. */
    readonly failures: number;
    /** The last failure, as a sentence. */
    readonly message: string;
    /** When it is tried next, milliseconds since 1970; absent while it is. */
    readonly nextAtMs?: number;
  };
}

export interface ListedMove extends StartedMove, ListedWorkflow<MoveState> {
  /** The volumes, as many as Temporal's search attribute holds. */
  readonly volumes: readonly string[];
  readonly from?: string;
  readonly to?: string;
  /** Coarse stage of a running move. */
  readonly stage?: string;
  /** The end of its open way back; absent for other moves, and while no appliance answers. */
  readonly reversibleUntilMs?: number;
}

export interface StartMoveOptions extends StartOptions {
  /**
   * Refuses an impossible move before a workflow starts. The workflow waits for reasons that pass
   * by themselves. Default: false.
   */
  readonly planFirst?: boolean | undefined;
  /**
   * Starts a new move even if one was made under the workflow id before. Default: false, so that a
   * late repeat of a start answers with the earlier move and moves nothing.
   */
  readonly again?: boolean | undefined;
  /**
   * Ends what moves that no longer run hold of the volumes, instead of waiting for their leases, as
   * `doctor.fix` does. Default: false. The caller needs the role `move`.
   */
  readonly takeOver?: boolean | undefined;
}

/** Wishes for a move back. Its volumes and groups follow from the move that it reverses. */
export type ReverseInput = Pick<MoveInput, 'operator' | 'reason' | 'verify' | 'cutover' | 'queue' | 'options'>;

export type ReverseOptions = Pick<StartMoveOptions, 'planFirst' | 'again' | 'takeOver'>;

export interface ListMovesOptions extends ListOptions<MoveState> {
  /** Moves that ran at some time since then, milliseconds since 1970-01-01 UTC. */
  readonly sinceMs?: number | undefined;
  /** Moves of this volume. Of a move of very many volumes Temporal knows the first ones only. */
  readonly volume?: string | undefined;
  /** Moves out of this group or into it. */
  readonly group?: string | undefined;
  /** Moves of this batch, by its whole id. */
  readonly batch?: string | undefined;
}

export interface MoveClient extends WorkflowClient<MoveInput, StartedMove, Move, ListedMove, MoveState> {
  /** Finds every reason against a move at once; changes nothing. @throws INVALID_REQUEST */
  plan(input: MoveInput): Promise<MovePlan>;
  /**
   * Starts a move. With a workflow id under which the same move was made before, running or ended,
   * that move is the answer. @throws MOVE_REFUSED with `planFirst`; ATTEMPT_MISMATCH when another
   * move was made under the id; VOLUME_BUSY with `takeOver` when the other move still runs
   */
  start(input: MoveInput, options?: StartMoveOptions): Promise<StartedMove>;
  /**
   * The moves that Temporal knows, in the order of any `list`. Each given filter narrows it.
   * @throws INVALID_REQUEST also for `volume` and `group` where names are hidden from Temporal
   */
  list(options?: ListMovesOptions): Promise<ListedMove[]>;
  /** Finds a move. After Temporal has dropped it the stored report answers. */
  get(id: string): Promise<Move>;
  /**
   * Cancels a move. Before its commit everything goes back as it was; after it the move completes.
   */
  cancel(id: string): Promise<void>;
  /**
   * Lets a move with `"cutover": "manual"` raise its fence, now or as soon as it is ready. This and
   * the next three resolve with the move's answer, a sentence.
   * @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED
   */
  approve(id: string, request: OperatorRequest): Promise<string>;
  /**
   * Holds a move before its commit. Resolves once no attempt is open and no fence is up.
   * @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED
   */
  pause(id: string, request: OperatorRequest): Promise<string>;
  /** Lets a paused move go on. @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED */
  resume(id: string, request: OperatorRequest): Promise<string>;
  /**
   * Ends a move before its commit. Resolves once everything is as it was. The move fails with
   * MOVE_ABORTED. After the commit the refusal names the move back.
   * @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED
   */
  abort(id: string, request: OperatorRequest): Promise<string>;
  /**
   * The input of the move back: for a plan of it.
   * @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED when the move has moved nothing
   */
  wayBack(id: string): Promise<MoveInput>;
  /**
   * Moves the volumes of a committed move back to the group that they came from: a move like any,
   * planned and checked, refused when a volume is no longer where the move put it. Both histories
   * stay. Given again it answers with the move back that was made before.
   * @throws MOVE_NOT_FOUND, MOVE_REQUEST_REFUSED when the move has moved nothing; those of `start`
   */
  reverse(id: string, wishes?: ReverseInput, options?: ReverseOptions): Promise<StartedMove>;
  /**
   * Ends the way back of a move that was started as reversible: from now on its old group keeps
   * nothing for it. Resolves with a sentence, also when it had ended before.
   * @throws MOVE_NOT_FOUND, NOT_REVERSIBLE, UNREACHABLE
   */
  finalize(id: string, request: OperatorRequest): Promise<string>;
  /**
   * The stored report of an ended move, whatever its outcome. The replica site keeps it after
   * Temporal's history is gone. @throws REPORT_NOT_FOUND
   */
  report(id: string): Promise<StoredMoveReport>;
}
