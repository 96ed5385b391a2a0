// What a move has done so far. The saga writes it; queries and the final report read it.
import type { AttemptRef, Verdict } from '../../contracts/attempt.js';
import type { ErrorCode } from '../../contracts/errors.js';
import type { MoveId, VolumeId } from '../../contracts/ids.js';
import type { MoveProgress, MoveStage, MoveStep, ParsedMoveInput, StepReport } from '../../contracts/move.js';

/** What the saga needs from its environment: a Temporal workflow, or the simulation. */
export interface SagaRuntime {
  nowMs(): number;
  /** Sleeps; cancellable. */
  sleep(ms: number): Promise<void>;
  /** Waits until a person's request makes the condition true; cancellable. */
  until(isTrue: () => boolean): Promise<void>;
  /** Runs work that can be cancelled by itself. It rejects as when the move is cancelled. */
  cancellable<T>(work: () => Promise<T>): { readonly done: Promise<T>; readonly cancel: () => void };
  /** Runs the work to its end even when the move is cancelled. */
  shielded<T>(work: () => Promise<T>): Promise<T>;
  /** Whether the error is the move's own cancellation. */
  isCancellation(error: unknown): boolean;
  /** The registry's code of a step's failure, if it has one. */
  codeOf(error: unknown): ErrorCode | undefined;
  messageOf(error: unknown): string;
}

export function volumesOf(input: ParsedMoveInput): VolumeId[] {
  return input.volumes ?? (input.volume === undefined ? [] : [input.volume]);
}

export class MoveRecorder {
  readonly #runtime: SagaRuntime;
  readonly #move: MoveId;
  readonly #input: ParsedMoveInput;
  readonly #steps: StepReport[] = [];
  #stage: MoveStage = 'planning';
  #attempt = 1;
  #from: MoveProgress['from'];
  #verdict: Verdict | undefined;
  #waitsFor: string | undefined;
  readonly abortedAttempts: { n: number; reason: string }[] = [];

  constructor(runtime: SagaRuntime, move: MoveId, input: ParsedMoveInput) {
    this.#runtime = runtime;
    this.#move = move;
    this.#input = input;
  }

  get steps(): StepReport[] {
    return [...this.#steps];
  }

  /** Starts a new attempt and forgets the verdict on the one before. */
  begin(attempt: AttemptRef): void {
    this.#attempt = attempt.n;
    this.#verdict = undefined;
  }

  /** @param waitsFor what the move waits for in this stage and what to type, as sentences */
  stage(stage: MoveStage, waitsFor?: string): void {
    this.#stage = stage;
    this.#waitsFor = waitsFor;
  }

  from(group: NonNullable<MoveProgress['from']>): void {
    this.#from = group;
  }

  verdict(verdict: Verdict): void {
    this.#verdict = verdict;
  }

  /** Runs a step forward. The move's stage is the step while it runs. */
  async step<T>(step: MoveStep, attempt: AttemptRef, work: () => Promise<T>): Promise<T> {
    this.stage(step);
    return this.record(step, attempt, work);
  }

  /** Runs a step, keeps its times and, if it fails, its error. Does not change the stage. */
  async record<T>(step: StepReport['step'], attempt: AttemptRef, work: () => Promise<T>): Promise<T> {
    this.#attempt = attempt.n;
    const startedAtMs = this.#runtime.nowMs();
    try {
      const result = await work();
      this.#steps.push({ step, attempt: attempt.n, startedAtMs, endedAtMs: this.#runtime.nowMs() });
      return result;
    } catch (error) {
      const code = this.#runtime.codeOf(error);
      const message = this.#runtime.isCancellation(error) ? 'cancelled' : this.#runtime.messageOf(error);
      this.#steps.push({
        step,
        attempt: attempt.n,
        startedAtMs,
        endedAtMs: this.#runtime.nowMs(),
        error: code === undefined ? { message } : { code, message },
      });
      throw error;
    }
  }

  progress(): MoveProgress {
    return {
      move: this.#move,
      volumes: volumesOf(this.#input),
      to: this.#input.to,
      stage: this.#stage,
      attempt: this.#attempt,
      steps: this.steps,
      ...(this.#from === undefined ? {} : { from: this.#from }),
      ...(this.#verdict === undefined ? {} : { verdict: this.#verdict }),
      ...(this.#waitsFor === undefined ? {} : { waitsFor: this.#waitsFor }),
    };
  }
}
