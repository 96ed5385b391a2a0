// What people ask of a running move: approve, pause, resume, abort. The saga obeys at its next
// turn; a step that runs is interrupted. Pure: the same in Temporal and in the simulation.
import { MoverError } from '../../contracts/errors.js';
import type { MoveRequestName, ParsedMoveInput } from '../../contracts/move.js';
import type { OperatorRequest } from '../../contracts/request.js';
import type { MoveRecorder, SagaRuntime } from './recorder.js';

export class MoveControls {
  readonly #isManual: boolean;
  readonly #recorder: MoveRecorder;
  #isApproved = false;
  #paused: string | undefined;
  #aborted: string | undefined;
  /** Cancels the attempt that runs, its wait for an approval, or the pause before the next. */
  #interrupt = (): void => undefined;
  #endWait = (): void => undefined;

  constructor({ cutover }: Pick<ParsedMoveInput, 'cutover'>, recorder: MoveRecorder) {
    this.#isManual = cutover === 'manual';
    this.#recorder = recorder;
  }

  /** Whether an approval counts, which a pause would take back. */
  get isApproved(): boolean {
    return this.#isApproved;
  }

  get awaitsApproval(): boolean {
    return this.#isManual && !this.#isApproved;
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  get isAborted(): boolean {
    return this.#aborted !== undefined;
  }

  /** Whether a person holds or ends the move: the saga begins no attempt then. */
  get isHeld(): boolean {
    return this.isPaused || this.isAborted;
  }

  /** Why the attempt that runs is given up, as a sentence; undefined when nobody asked for it. */
  get reason(): string | undefined {
    return this.#aborted ?? this.#paused;
  }

  /** Why the move refuses a request now, as a sentence; undefined when it accepts it. */
  refusalOf(name: MoveRequestName): string | undefined {
    const { stage, verdict } = this.#recorder.progress();
    if (verdict === 'COMMITTED') return this.committedText(name);
    if (stage === 'failed') return 'The move has ended and cannot be changed. The volumes stay where they were.';
    if (this.isAborted) return `The move ends: ${this.#aborted}.`;
    switch (name) {
      case 'approve':
        if (!this.#isManual) return 'The move needs no approval: it was started without "cutover": "manual".';
        return this.#isApproved ? 'The move is approved already.' : undefined;
      case 'pause':
        return this.isPaused ? 'The move is paused already.' : undefined;
      case 'resume':
        return this.isPaused ? undefined : 'The move is not paused, so it cannot be resumed.';
      case 'abort':
        return undefined;
    }
  }

  /** The refusal after the commit. It names the way back. */
  committedText(name: MoveRequestName): string {
    const { move, to } = this.#recorder.progress();
    const done = `The move is committed: group "${to}" owns the volumes, so it is too late to ${name} it.`;
    return `${done} To move them back: volume-mover reverse ${move}`;
  }

  approve(): void {
    this.#isApproved = true;
    this.#endWait();
  }

  /** Pauses the move. An approval given before counts no more: it was for that cut-over. */
  pause({ operator, reason }: OperatorRequest): void {
    this.#paused = `${operator} paused the move: ${reason}`;
    this.#isApproved = false;
    this.#interrupt();
  }

  resume(): void {
    this.#paused = undefined;
  }

  abort({ operator, reason }: OperatorRequest): void {
    this.#aborted = `${operator} aborted the move: ${reason}`;
    this.#interrupt();
  }

  /** Runs work that a pause or an abort cancels. */
  async interruptible<T>(runtime: SagaRuntime, work: () => Promise<T>): Promise<T> {
    const { done, cancel } = runtime.cancellable(work);
    this.#interrupt = cancel;
    try {
      return await done;
    } finally {
      this.#interrupt = () => undefined;
    }
  }

  /** Runs a wait until somebody approves. A failure of the wait is thrown. */
  async untilApproved(runtime: SagaRuntime, wait: () => Promise<void>): Promise<void> {
    const { done, cancel } = runtime.cancellable(wait);
    this.#endWait = cancel;
    try {
      await done;
    } catch (error) {
      if (this.awaitsApproval || this.isHeld || !runtime.isCancellation(error)) throw error;
    } finally {
      this.#endWait = () => undefined;
    }
  }

  /**
   * Waits while somebody holds the move; no attempt is open.
   * @throws MoverError MOVE_ABORTED; the move's own cancellation
   */
  async hold(runtime: SagaRuntime): Promise<void> {
    while (this.isPaused && !this.isAborted) {
      const { move } = this.#recorder.progress();
      this.#recorder.stage('paused', `${this.#paused}. To go on: volume-mover resume ${move} --reason <why>`);
      await runtime.until(() => !this.isPaused || this.isAborted);
    }
    if (this.#aborted !== undefined) throw new MoverError('MOVE_ABORTED', this.#aborted);
  }
}
