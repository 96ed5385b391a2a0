// What the SDK offers for moves.
import type { MoveId } from '../../contracts/ids.js';
import type { MoveInput, MovePlan, MoveProgress, MoveReport } from '../../contracts/move.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import type { MoveFailure } from '../temporal/failure.js';
import type {
  DescribedWorkflow,
  ListedWorkflow,
  StartedWorkflow,
  StartOptions,
  WorkflowClient,
} from '../workflow-client.js';

export interface StartedMove extends StartedWorkflow {
  readonly moveId: MoveId;
}

export type MoveState = 'running' | 'moved' | MoveFailure['outcome'];

export type Move = StartedMove & DescribedWorkflow<MoveState, MoveProgress, MoveReport>;

export interface ListedMove extends StartedMove, ListedWorkflow<MoveState> {
  /** As many as Temporal's search attribute holds. */
  readonly volumes: readonly string[];
  readonly from?: string;
  readonly to?: string;
  /** Of a running one, coarsely. */
  readonly stage?: string;
}

export interface StartMoveOptions extends StartOptions {
  /**
   * Refuses an impossible move before there is a workflow. A move waits for reasons that pass by
   * themselves. Default: false.
   */
  readonly planFirst?: boolean | undefined;
}

export interface MoveClient extends WorkflowClient<MoveInput, StartedMove, Move, ListedMove, MoveState> {
  /** Finds every reason against a move, at once; changes nothing. @throws INVALID_REQUEST */
  plan(input: MoveInput): Promise<MovePlan>;
  /** @throws MOVE_REFUSED when it is planned first */
  start(input: MoveInput, options?: StartMoveOptions): Promise<StartedMove>;
  /** Knows a move that Temporal has forgotten by its stored report. */
  get(id: string): Promise<Move>;
  /** Before the move's commit everything goes back as it was; after it the move is completed. */
  cancel(id: string): Promise<void>;
  /**
   * The final report of a move that ended, however it did, as the replica site keeps it: also when
   * Temporal's history is gone. @throws REPORT_NOT_FOUND
   */
  report(id: string): Promise<StoredMoveReport>;
}
