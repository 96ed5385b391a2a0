// Temporal's part for the saga, in virtual time: retries, workers that die and leave a zombie,
// cancellation, termination, Reset.
import { bookmark } from '../../activities/bookmark.js';
import { learn, resolve } from '../../activities/compensation.js';
import { flush } from '../../activities/flush.js';
import { notify } from '../../activities/notify.js';
import { awaitTurn } from '../../activities/await-turn.js';
import type { StepRun } from '../../activities/run.js';
import { reconfigure } from '../../activities/reconfigure.js';
import { snapshot } from '../../activities/snapshot.js';
import { standBy } from '../../activities/stand-by.js';
import { ticketFloor } from '../../activities/ticket-floor.js';
import { MoverError, type ErrorCode, type Reason } from '../../contracts/errors.js';
import type { GroupId, MoveId, VolumeId } from '../../contracts/ids.js';
import {
  moveInputSchema,
  type MoveOptions,
  type MoveProgress,
  type MoveRequestName,
  type MoveReport,
  type ParsedMoveInput,
} from '../../contracts/move.js';
import { MoveRecorder, type SagaRuntime } from '../../workflows/saga/recorder.js';
import { MoveControls } from '../../workflows/saga/controls.js';
import { moveSaga } from '../../workflows/saga/saga.js';
import type { MoveSteps } from '../../contracts/steps.js';
import { Cancelled, plainErrors, Scopes, Shields } from '../support/saga-runtime.js';
import type { AimPlan } from './aims.js';
import { checkHeld } from './assertions/left-behind.js';
import type { World } from './world.js';

const RETRY_MS = 60;
/** Time until a step that keeps failing gives up, in ms; notify waits out another move's lease. */
const STEP_LIMIT_MS = { patient: Number.POSITIVE_INFINITY, notify: 20_000, other: 6_000 };
/** Longest delay of an aimed call, in ms: beyond a hold and a lease. */
const AIMED_DELAY_MS_MAX = 3_000;

export interface Trouble {
  /**
   * Chance that the worker dies during a step: the step goes on as a zombie, and another worker
   * starts it again.
   */
  readonly workerDies: number;
  readonly cancelAfterMs?: number;
  readonly terminateAfterMs?: number;
  /**
   * A person resets the workflow so long after its start, to after its first `keep` events; even
   * when it has ended.
   */
  readonly reset?: { readonly afterMs: number; readonly keep: number };
  readonly aims?: readonly AimPlan[];
  readonly options?: Partial<MoveOptions>;
  readonly cutover?: 'manual';
  readonly queue?: boolean;
  /** A person asks things of the move at random, so long; then only lets it go on. */
  readonly steeredForMs?: number;
}

/** What a person asks, and how often of ten times. */
const REQUESTS: readonly (readonly [MoveRequestName, number])[] = [
  ['approve', 3],
  ['pause', 3],
  ['resume', 3],
  ['abort', 1],
];
/** Longest time between two requests of a person, in ms. */
const REQUEST_PAUSE_MS_MAX = 300;
const WEIGHTED: readonly MoveRequestName[] = REQUESTS.flatMap(([name, times]) =>
  Array.from({ length: times }, () => name),
);

export type MoveEnd = { readonly progress: MoveProgress } & (
  | { readonly kind: 'moved'; readonly report: MoveReport }
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode | undefined;
      readonly message: string;
      readonly reasons: readonly Reason[];
    }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'terminated' }
);

export const LEASE_MS = 1_500;
export const ATTEMPTS_MAX = 4;

/** An event of the workflow's history: how a step or a pause ended. */
type Event = { readonly value: unknown } | { readonly error: unknown };

export async function runMove(
  world: World,
  move: string,
  volumes: readonly VolumeId[],
  to: GroupId,
  trouble: Trouble,
): Promise<MoveEnd> {
  const { time } = world;
  const input = moveInputSchema.parse({
    volumes,
    to,
    ...(trouble.cutover === undefined ? {} : { cutover: trouble.cutover }),
    ...(trouble.queue === undefined ? {} : { queue: trouble.queue }),
    options: {
      leaseMs: LEASE_MS,
      lagWaitMs: 4_000,
      attemptsMax: ATTEMPTS_MAX,
      attemptDeadlineMs: 30_000,
      ...trouble.options,
    },
  });
  const first = new Run(world, move as MoveId, input, trouble, []);
  const { reset } = trouble;
  if (reset === undefined) return await first.end;
  await time.sleep(reset.afterMs);
  first.terminate();
  world.befalls('workflow reset', move);
  const { workerDies, options } = trouble;
  const again = { workerDies, ...(options === undefined ? {} : { options }) };
  return await new Run(world, move as MoveId, input, again, first.history.slice(0, reset.keep)).end;
}

/** One run of a workflow. */
class Run {
  readonly #world: World;
  readonly #move: MoveId;
  readonly #trouble: Trouble;
  /** What the run has behind it: a later run replays it. */
  readonly history: Event[];
  readonly end: Promise<MoveEnd>;
  #next = 0;
  #terminated = false;
  #ended = false;
  #cancelled = false;
  readonly #shields = new Shields();
  readonly #scopes = new Scopes();
  #cancelNow = (): void => undefined;
  #dieNow = (): void => undefined;
  #endNow = (): void => undefined;
  readonly #cancellation: Promise<never>;

  constructor(world: World, move: MoveId, input: ParsedMoveInput, trouble: Trouble, history: readonly Event[]) {
    this.#world = world;
    this.#move = move;
    this.#trouble = trouble;
    this.history = [...history];
    this.#cancellation = new Promise<never>((_resolve, reject) => {
      this.#cancelNow = () => {
        this.#cancelled = true;
        reject(new Cancelled('cancelled'));
      };
    });
    this.#cancellation.catch(() => undefined);
    const { cancelAfterMs, terminateAfterMs } = trouble;
    if (cancelAfterMs !== undefined)
      world.time.after(cancelAfterMs, () => {
        if (!this.#ended) world.befalls('cancel', move);
        this.#cancelNow();
      });
    if (terminateAfterMs !== undefined)
      world.time.after(terminateAfterMs, () => {
        if (!this.#ended) world.befalls('terminate', move);
        this.terminate();
      });
    for (const plan of trouble.aims ?? []) this.#aim(plan);
    const runtime = this.#runtime();
    const recorder = new MoveRecorder(runtime, move, input);
    const controls = new MoveControls(input, recorder);
    if (trouble.steeredForMs !== undefined)
      this.#steer(controls, recorder, input, world.time.nowMs + trouble.steeredForMs);
    const saga = moveSaga({
      steps: this.#steps(STEP_LIMIT_MS),
      patientSteps: this.#steps({ notify: STEP_LIMIT_MS.patient, other: STEP_LIMIT_MS.patient }),
      runtime,
      move,
      input,
      recorder,
      controls,
    }).then(
      (report): MoveEnd => ({ kind: 'moved', report, progress: recorder.progress() }),
      (error: unknown): MoveEnd => {
        if (error instanceof Cancelled) {
          // As the workflow does, wherever the saga was.
          recorder.stage('failed');
          return { kind: 'cancelled', progress: recorder.progress() };
        }
        return {
          kind: 'failed',
          code: runtime.codeOf(error),
          message: runtime.messageOf(error),
          reasons: error instanceof MoverError ? error.reasons : [],
          progress: recorder.progress(),
        };
      },
    );
    const termination = new Promise<MoveEnd>((resolve) => {
      this.#endNow = () => resolve({ kind: 'terminated', progress: recorder.progress() });
    });
    this.end = Promise.race([saga, termination]).finally(() => {
      this.#ended = true;
    });
  }

  /** Lets a person ask things until the move has ended: at random at first, and then to go on. */
  #steer(controls: MoveControls, recorder: MoveRecorder, { volumes = [] }: ParsedMoveInput, untilMs: number): void {
    const { time, chance, witness } = this.#world;
    const act = (): void => {
      if (this.#ended || this.#terminated) return;
      if (recorder.progress().stage === 'paused')
        try {
          checkHeld(this.#world, this.#move, volumes);
        } catch (error) {
          witness.break(error instanceof Error ? error.message : String(error));
        }
      const isCalm = time.nowMs > untilMs;
      const name = isCalm ? (controls.isPaused ? 'resume' : 'approve') : chance.pick(WEIGHTED);
      const refused = controls.refusalOf(name) !== undefined;
      this.#world.reaches(`a person asked to ${name}${refused ? ', refused' : ''} at ${recorder.progress().stage}`);
      if (!refused) {
        controls[name]({ operator: 'somebody', reason: 'for this run' });
        this.#scopes.requested();
      }
      time.after(chance.between(1, REQUEST_PAUSE_MS_MAX), act);
    };
    time.after(chance.between(0, REQUEST_PAUSE_MS_MAX), act);
  }

  /** Ends the workflow at once: nothing is compensated. Its activity goes on as a zombie. */
  terminate(): void {
    this.#terminated = true;
    this.#endNow();
  }

  #aim(plan: AimPlan): void {
    const { time, chance, aims } = this.#world;
    aims.add({
      ...plan,
      move: this.#move,
      act: async ({ process, again }) => {
        this.#world.reaches(`aimed: ${plan.kind}`);
        this.#world.befalls(`aimed ${plan.kind}`, `${plan.side} ${plan.call} of ${this.#move}`);
        switch (plan.kind) {
          case 'crash':
            this.#world.crash(process);
            return;
          case 'outage':
            this.#world.outage(chance.between(LEASE_MS, 2 * LEASE_MS));
            return;
          case 'cancel':
            this.#cancelNow();
            return;
          case 'terminate':
            this.terminate();
            return;
          case 'gone':
            this.terminate();
            await new Promise<never>(() => undefined);
            return;
          case 'workerDies':
            this.#dieNow();
            return;
          case 'delay':
            await time.sleep(chance.between(0, AIMED_DELAY_MS_MAX));
            return;
          case 'duplicate':
            again();
            time.after(chance.between(0, AIMED_DELAY_MS_MAX), again);
            return;
          case 'lose':
            throw new MoverError('UNREACHABLE', `the answer to ${plan.call} was lost`);
        }
      },
    });
  }

  /**
   * Runs a step's call: a terminated workflow never goes on, and cancellation interrupts at once
   * unless shielded.
   */
  async #alive<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    const shielded = this.#shields.isUp;
    if (!shielded && this.#cancelled) throw new Cancelled('cancelled');
    try {
      return await (shielded ? work : this.#scopes.race(Promise.race([work, this.#cancellation])));
    } finally {
      if (this.#terminated) await new Promise<never>(() => undefined);
    }
  }

  /** Takes the next event from the history, or makes it happen. */
  async #event<T>(work: () => Promise<T>): Promise<T> {
    const at = this.#next;
    this.#next += 1;
    const known = this.history[at];
    if (known !== undefined) {
      if ('error' in known) throw known.error;
      // The saga is deterministic: this is the event that the same call had before.
      return known.value as T;
    }
    try {
      const value = await this.#alive(work());
      this.history.push({ value });
      return value;
    } catch (error) {
      this.history.push({ error });
      throw error;
    }
  }

  async #activity<T>(limitMs: number, work: (run: StepRun) => Promise<T>): Promise<T> {
    const { time, chance } = this.#world;
    const startedAtMs = time.nowMs;
    for (;;) {
      const nowMs = (): number => time.nowMs;
      const run: StepRun = {
        nowMs,
        monotonicMs: nowMs,
        sleep: (ms) => time.sleep(ms),
        heartbeat: () => undefined,
      };
      const dies = new Promise<'died'>((resolve) => {
        this.#dieNow = () => resolve('died');
        if (chance.hit(this.#trouble.workerDies)) time.after(chance.between(0, 150), () => resolve('died'));
      });
      try {
        const ended = await Promise.race([work(run).then((value) => ({ value })), dies]);
        if (ended !== 'died') return ended.value;
        this.#world.befalls('dead worker', this.#move);
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        if (!error.retryable || time.nowMs - startedAtMs > limitMs) throw error;
      }
      // Nobody starts the activity of a terminated workflow again.
      if (this.#terminated) await new Promise<never>(() => undefined);
      await time.sleep(RETRY_MS);
    }
  }

  #steps(limit: { readonly notify: number; readonly other: number }): MoveSteps {
    const ports = this.#world.ports();
    const step = <T>(limitMs: number, work: (run: StepRun) => Promise<T>): Promise<T> =>
      this.#event(() => this.#activity(limitMs, work));
    return {
      ticketFloor: () => step(limit.notify, () => ticketFloor(ports)),
      notify: (parsed, attempt, floor) => step(limit.notify, (run) => notify(ports, parsed, attempt, run, floor)),
      awaitTurn: (parsed, _attempt, held, sinceMs) =>
        step(STEP_LIMIT_MS.patient, (run) => awaitTurn(ports, parsed, held, sinceMs, run)),
      standBy: (context, until) => step(STEP_LIMIT_MS.patient, (run) => standBy(ports, context, until, run)),
      flush: (context) => step(limit.other, (run) => flush(ports, context, run)),
      snapshot: (context, flushed) => step(limit.other, () => snapshot(ports, context, flushed)),
      bookmark: (context) => step(limit.other, () => bookmark(ports, context)),
      reconfigure: (context, flushed) => step(limit.other, (run) => reconfigure(ports, context, flushed, run)),
      resolve: (attempt, reason, floor) => step(limit.other, () => resolve(ports, attempt, reason, floor)),
      learn: (record, verdict) => step(limit.other, () => learn(ports, record, verdict)),
    };
  }

  #runtime(): SagaRuntime {
    const { time } = this.#world;
    return {
      nowMs: () => time.nowMs,
      sleep: (ms) => this.#event(() => time.sleep(ms)),
      until: async (isTrue) => {
        while (!isTrue()) await this.#alive(this.#scopes.request());
      },
      cancellable: this.#scopes.cancellable,
      shielded: (work) => this.#shields.run(work),
      ...plainErrors,
    };
  }
}
