// The saga of a move for scripts: the real saga over steps whose answers a script decides, in
// virtual time. The steps keep one truth, the verdict, as the replica site does.
import {
  type AttemptRecord,
  type AttemptRef,
  attemptName,
  endpointSchema,
  type Verdict,
} from '../../../../contracts/attempt.js';
import { errorCodeSchema, MoverError } from '../../../../contracts/errors.js';
import { moveIdSchema, pointIdSchema, splitterIdSchema, volumeIdSchema } from '../../../../contracts/ids.js';
import {
  MOVE_STEPS,
  type MoveReport,
  moveInputSchema,
  type MoveProgress,
  type ParsedMoveInput,
  type StepReport,
} from '../../../../contracts/move.js';
import type { AttemptContext, Flushed, Held, MoveSteps, Reconfigured, Snapshot } from '../../../../contracts/steps.js';
import { MoveRecorder, type SagaRuntime } from '../../../../workflows/saga/recorder.js';
import { MoveControls } from '../../../../workflows/saga/controls.js';
import { moveSaga } from '../../../../workflows/saga/saga.js';
import { Cancelled, plainErrors, Scopes, Shields } from '../../../support/saga-runtime.js';
import { type Command, exact, msOf, type World } from '../script.js';

const MOVE = moveIdSchema.parse('m1');
const SPLITTER = splitterIdSchema.parse('s1');
/** How long a step takes, ms; a slow one says how long itself. */
const STEP_MS = 10;

type StepName = Exclude<keyof MoveSteps, 'ticketFloor'>;
const STEP_NAMES: readonly StepName[] = [...MOVE_STEPS, 'awaitTurn', 'standBy', 'resolve', 'learn'];

/** A person asks while a step runs, before its effect or after it. */
type Asked = 'paused-before' | 'paused-after' | 'aborted-before' | 'aborted-after';
/** How long a person holds a paused move, ms. */
const HELD_MS = 1_000;

/** What becomes of one call of a step. */
interface Fate {
  /** How it ends. */
  readonly kind: 'answers' | 'held' | 'refused' | 'lost' | 'breaks' | 'cancelled-before' | 'cancelled-after' | Asked;
  /** The refusal's code, the one that stands for a lost answer, or the move that holds v1. */
  readonly code?: string;
  readonly ms: number;
  /** A call that a dead worker left behind commits the attempt meanwhile. */
  readonly zombieCommits?: boolean;
}
/** How a call ended, in a short line. */
const MARKS: Readonly<Record<Fate['kind'], string>> = {
  answers: '',
  held: '…',
  refused: '!',
  breaks: '!',
  lost: '?',
  'cancelled-before': '×',
  'cancelled-after': '×',
  'paused-before': '‖',
  'paused-after': '‖',
  'aborted-before': '×',
  'aborted-after': '×',
};
const ANSWERS: Fate = { kind: 'answers', ms: STEP_MS };

export class SagaWorld implements World {
  /** What is planned for the next calls of each step, and for the pauses between attempts. */
  readonly #fates = new Map<string, Fate[]>();

  async run(command: Command): Promise<string[]> {
    switch (command.name) {
      case 'plan':
        this.#plan(command);
        return [];
      case 'move': {
        const aheadMs = command.ms('splitter-clock-ahead') ?? 0;
        return await new Run(inputOf(command, command.words), this.#takeFates(), aheadMs).tell();
      }
      case 'each-step':
        return await this.#eachStep(command);
      default:
        throw new Error(`there is no command "${command.name}"`);
    }
  }

  state(): ReadonlyMap<string, string> {
    return new Map();
  }

  /**
   * Decides about the next calls of a step: `plan flush refused CUT_VOID times=2`. Later ones
   * answer.
   */
  #plan(command: Command): void {
    const step = command.word(0);
    if (step !== 'pause' && !STEP_NAMES.some((name) => name === step)) throw new Error(`there is no step ${step}`);
    const times = command.number('times') ?? 1;
    const fate = { ...fateOf(command), zombieCommits: command.option('zombie') === 'commits' };
    this.#fates.set(step, [...(this.#fates.get(step) ?? []), ...Array.from({ length: times }, () => fate)]);
  }

  #takeFates(): Map<string, Fate[]> {
    const fates = new Map(this.#fates);
    this.#fates.clear();
    return fates;
  }

  /** The same failure at each step forward, a move each: one line tells what followed. */
  async #eachStep(command: Command): Promise<string[]> {
    const fate = fateOf(command, 0);
    const times = command.number('times') ?? 1;
    const input = inputOf(command, ['v1']);
    const others = this.#takeFates();
    const lines: string[] = [];
    for (const step of MOVE_STEPS) {
      const fates = new Map([...others].map(([name, each]) => [name, [...each]]));
      fates.set(step, [...Array.from({ length: times }, () => fate), ...(fates.get(step) ?? [])]);
      lines.push(`${step}: ${await new Run(input, fates).tellShort()}`);
    }
    return lines;
  }
}

/**
 * `refused CODE`, `lost CODE`, `held MOVE`, `breaks`, `cancelled|paused|aborted before|after`,
 * `slow 5s`.
 */
function fateOf(command: Command, from = 1): Fate {
  const word = command.word(from);
  switch (word) {
    case 'held':
    case 'refused':
    case 'lost':
      return { kind: word, code: command.word(from + 1), ms: STEP_MS };
    case 'breaks':
      return { kind: 'breaks', ms: STEP_MS };
    case 'cancelled':
      return command.word(from + 1) === 'after'
        ? { kind: 'cancelled-after', ms: STEP_MS }
        : { kind: 'cancelled-before', ms: STEP_MS };
    case 'paused':
    case 'aborted':
      return { kind: command.word(from + 1) === 'after' ? `${word}-after` : `${word}-before`, ms: STEP_MS };
    case 'slow':
      return { kind: 'answers', ms: msOf(command.word(from + 1)) };
    default:
      throw new Error(`no step ends ${word}`);
  }
}

function inputOf(command: Command, volumes: readonly string[]): ParsedMoveInput {
  const operator = command.option('operator');
  const reason = command.option('reason');
  const attemptsMax = command.number('attempts');
  return moveInputSchema.parse({
    ...(volumes.length === 1 ? { volume: volumes[0] } : { volumes }),
    to: command.option('to') ?? 'silver',
    ...(command.option('cutover') === 'manual' ? { cutover: 'manual' } : {}),
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    options: attemptsMax === undefined ? {} : { attemptsMax },
  });
}

function endpointOf(group: string): AttemptContext['from'] {
  return endpointSchema.parse({ group, appliance: `for-${group}`, url: `http://${group}.test` });
}

/** One move: its steps, its time, and what was called. */
class Run {
  readonly #input: ParsedMoveInput;
  readonly #fates: ReadonlyMap<string, Fate[]>;
  readonly #records = new Map<string, AttemptRecord>();
  readonly #calls: { readonly atMs: number; readonly text: string; readonly short: string; readonly stage: string }[] =
    [];
  readonly #recorder: MoveRecorder;
  readonly #runtime: SagaRuntime;
  /** How far the splitters' wall clocks are ahead: their cuts carry it. */
  readonly #aheadMs: number;
  #nowMs = 0;
  #floor = 0;
  #isCancelled = false;
  readonly #shields = new Shields();
  readonly #scopes = new Scopes();
  readonly #controls: MoveControls;

  constructor(input: ParsedMoveInput, fates: ReadonlyMap<string, Fate[]>, aheadMs = 0) {
    this.#input = input;
    this.#fates = fates;
    this.#aheadMs = aheadMs;
    this.#runtime = {
      nowMs: () => this.#nowMs,
      sleep: (ms) => this.#pause(ms),
      until: async () => {
        this.#note(`is held ${HELD_MS} ms`, 'held');
        this.#nowMs += HELD_MS;
        this.#controls.resume();
      },
      cancellable: this.#scopes.cancellable,
      shielded: (work) => this.#shields.run(work),
      ...plainErrors,
    };
    this.#recorder = new MoveRecorder(this.#runtime, MOVE, input);
    this.#controls = new MoveControls(input, this.#recorder);
  }

  /** Everything: each call with the stage that a query sees meanwhile, then the end. */
  async tell(): Promise<string[]> {
    const [before = ''] = progressText(this.#recorder.progress());
    const end = await this.#end();
    const calls = this.#calls.map(({ atMs, text, stage }) => `${atMs} ms  ${text}  [${stage}]`);
    return [before, ...calls, ...end, ...progressText(exact(this.#recorder.progress()))];
  }

  async tellShort(): Promise<string> {
    const [end = ''] = await this.#end();
    return `${this.#calls.map(({ short }) => short).join(' ')} → ${end}`;
  }

  async #end(): Promise<string[]> {
    try {
      const report = exact(
        await moveSaga({
          steps: this.#steps(''),
          patientSteps: this.#steps(' patiently'),
          runtime: this.#runtime,
          move: MOVE,
          input: this.#input,
          recorder: this.#recorder,
          controls: this.#controls,
        }),
      );
      return reportText(report);
    } catch (error) {
      if (error instanceof Cancelled) return [`cancelled after ${this.#nowMs} ms`];
      return [
        `failed after ${this.#nowMs} ms: ${this.#runtime.codeOf(error) ?? 'no code'}, ${this.#runtime.messageOf(error)}`,
      ];
    }
  }

  async #pause(ms: number): Promise<void> {
    const fate = this.#next('pause');
    this.#note(`pauses ${ms} ms`, 'pause');
    if (fate.kind === 'cancelled-before') this.#isCancelled = true;
    // A request comes once the pause has begun.
    await Promise.resolve();
    this.#ask(fate.kind);
    this.#nowMs += ms;
    await Promise.resolve();
  }

  #next(step: string): Fate {
    return this.#fates.get(step)?.shift() ?? ANSWERS;
  }

  #note(text: string, short: string): void {
    const { stage, verdict } = this.#recorder.progress();
    this.#calls.push({ atMs: this.#nowMs, text, short, stage: verdict === undefined ? stage : `${stage}, ${verdict}` });
  }

  /** A cancelled move goes on behind a shield only. */
  #interrupt(): void {
    if ((this.#isCancelled || this.#scopes.isCancelled) && !this.#shields.isUp) throw new Cancelled('cancelled');
  }

  /** One call of a step. A lost answer, and a late cancellation, come after its effect. */
  async #call<T>(step: StepName, detail: string, manner: string, effect: (fate: Fate) => T): Promise<T> {
    this.#interrupt();
    const fate = this.#next(step);
    this.#note(`${step} ${detail}${manner}`, `${step}${MARKS[fate.kind]}`);
    await Promise.resolve();
    this.#nowMs += fate.ms;
    if (fate.kind === 'refused') throw new MoverError(errorCodeSchema.parse(fate.code), `${step} was refused`);
    if (fate.kind === 'breaks') throw new Error(`${step} has a bug`);
    if (fate.kind === 'cancelled-before') {
      this.#isCancelled = true;
      this.#interrupt();
    }
    if (fate.kind.endsWith('-before')) this.#ask(fate.kind);
    const result = effect(fate);
    if (fate.zombieCommits === true) this.#commitAll();
    if (fate.kind === 'lost') throw new MoverError(errorCodeSchema.parse(fate.code), `the answer of ${step} was lost`);
    if (fate.kind === 'cancelled-after') this.#isCancelled = true;
    if (fate.kind.endsWith('-after')) this.#ask(fate.kind);
    this.#interrupt();
    return result;
  }

  /** A person pauses or aborts the move. */
  #ask(kind: Fate['kind']): void {
    const request = { operator: 'sam', reason: 'for this script' };
    if (kind.startsWith('paused')) this.#controls.pause(request);
    if (kind.startsWith('aborted')) this.#controls.abort(request);
    this.#interrupt();
  }

  #steps(manner: string): MoveSteps {
    return {
      ticketFloor: async () => {
        this.#floor += 1;
        return this.#floor;
      },
      notify: (input, attempt, floor) => {
        this.#checkFloor(floor);
        return this.#call('notify', `${attemptName(attempt)} ${routeText(input)}`, manner, (fate) =>
          fate.kind === 'held' ? heldBy(fate) : this.#open(attempt),
        );
      },
      awaitTurn: (_input, attempt, { holders: [first] }) =>
        this.#call('awaitTurn', `${attemptName(attempt)} behind ${first?.move}`, manner, () => undefined),
      standBy: (context, until) =>
        this.#call('standBy', `${attemptName(context.attempt)} until ${until}`, manner, () => this.#controls.approve()),
      flush: (context) => this.#call('flush', attemptName(context.attempt), manner, () => this.#flush(context)),
      snapshot: (context, flushed) =>
        this.#call('snapshot', `${attemptName(context.attempt)} cut at ${flushed.cutAtMs}`, manner, () =>
          this.#snapshot(),
        ),
      bookmark: (context) => this.#call('bookmark', attemptName(context.attempt), manner, () => undefined),
      reconfigure: (context, flushed) =>
        this.#call('reconfigure', `${attemptName(context.attempt)} cut at ${flushed.cutAtMs}`, manner, () =>
          this.#commit(context),
        ),
      resolve: (attempt, reason, floor) => {
        this.#checkFloor(floor);
        return this.#call('resolve', `${attemptName(attempt)} "${reason}"`, manner, () =>
          this.#resolve(attempt, reason),
        );
      },
      learn: (record, verdict) =>
        this.#call('learn', `${attemptName(record.attempt)} is ${verdict} (${record.state})`, manner, () => undefined),
    };
  }

  /** Each attempt has a floor of its own, which all its calls carry. */
  #checkFloor(floor: number | undefined): void {
    if (floor !== this.#floor) throw new Error(`a call carries the floor ${floor} instead of ${this.#floor}`);
  }

  #contextOf(attempt: AttemptRef): AttemptContext {
    return {
      attempt: { ...attempt, ticket: attempt.n },
      volumes: [{ volume: volumeIdSchema.parse('v1'), splitter: SPLITTER, epoch: 1 }],
      from: endpointOf('gold'),
      to: endpointOf(this.#input.to),
      options: this.#input.options,
    };
  }

  #open(attempt: AttemptRef): AttemptContext {
    const context = this.#contextOf(attempt);
    if (this.#records.get(attemptName(attempt)) === undefined)
      this.#put({
        attempt,
        state: 'OPEN',
        contents: {
          ticket: context.attempt.ticket,
          volumes: [...context.volumes],
          from: context.from.group,
          to: context.to.group,
          openedAtMs: this.#nowMs,
          clockMs: 0,
        },
        seals: [],
      });
    return context;
  }

  #flush({ volumes }: AttemptContext): Flushed {
    const cuts = volumes.map(({ volume }) => ({ volume, session: 1, n: 7 }));
    return { cuts, others: [], cutAtMs: this.#nowMs + this.#aheadMs, resentBytes: [] };
  }

  #snapshot(): Snapshot {
    return { point: pointIdSchema.parse('p000000001'), seals: [] };
  }

  #commit({ attempt, volumes }: AttemptContext): Reconfigured {
    const record = this.#records.get(attemptName(attempt));
    if (record?.state === 'ABORTED') throw new MoverError('ATTEMPT_ABORTED', 'the attempt was aborted');
    if (record?.state === 'OPEN') this.#put({ ...record, state: 'COMMITTED', decidedAtMs: this.#nowMs });
    const committedAtMs = this.#records.get(attemptName(attempt))?.decidedAtMs ?? 0;
    return {
      committedAtMs,
      learnedAtMs: this.#nowMs,
      joined: { point: pointIdSchema.parse('p000000002'), name: 'v1 joined from gold' },
      left: { point: pointIdSchema.parse('p000000001'), name: 'v1 left for silver' },
      volumes: volumes.map(({ volume, splitter, epoch }) => ({
        volume,
        splitter,
        epochBefore: epoch,
        epochAfter: epoch + 1,
        cut: { volume, session: 1, n: 7, position: 7 },
        backlogBytes: 0,
        resentBytes: 0,
        holes: [],
      })),
    };
  }

  #commitAll(): void {
    for (const record of this.#records.values())
      if (record.state === 'OPEN') this.#put({ ...record, state: 'COMMITTED', decidedAtMs: this.#nowMs });
  }

  #resolve(attempt: AttemptRef, reason: string): AttemptRecord {
    const record = this.#records.get(attemptName(attempt)) ?? { attempt, state: 'OPEN' as const, seals: [] };
    return record.state === 'OPEN' ? this.#put({ ...record, state: 'ABORTED' satisfies Verdict, reason }) : record;
  }

  #put(record: AttemptRecord): AttemptRecord {
    this.#records.set(attemptName(record.attempt), record);
    return record;
  }
}

/** @example "→ silver", "gold → silver" */
function routeText({ from, to }: ParsedMoveInput): string {
  return `${from === undefined ? '' : `${from} `}→ ${to}`;
}

function heldBy({ code }: Fate): Held {
  const volume = volumeIdSchema.parse('v1');
  return { holders: [{ volume, move: moveIdSchema.parse(code) }], from: endpointOf('gold').group };
}

function stepText({ step, attempt, startedAtMs, endedAtMs, error }: StepReport): string {
  const why = error === undefined ? '' : ` failed: ${error.code ?? 'no code'}, ${error.message}`;
  return `  step ${step}#${attempt} ${startedAtMs}..${endedAtMs} ms${why}`;
}

function reportText(report: MoveReport): string[] {
  const { attempt, from, to, bookmarks } = report;
  return [
    `${report.outcome}${report.completedForward ? ', completed forward' : ''} after ${report.endedAtMs} ms`,
    `  ${attempt.move}#${attempt.n} ${from.group} → ${to.group}, ${report.startedAtMs}..${report.endedAtMs} ms, ` +
      `cut at ${report.cutAtMs}, committed at ${report.committedAtMs}, fenced ${report.fencedMs} ms`,
    ...report.volumes.map(({ volume, epochBefore, epochAfter }) => `  ${volume} epoch ${epochBefore} → ${epochAfter}`),
    `  left ${bookmarks.left.group} "${bookmarks.left.name}", joined ${bookmarks.joined.group} "${bookmarks.joined.name}"`,
    ...(report.operator === undefined ? [] : [`  operator ${report.operator}`]),
    ...(report.reason === undefined ? [] : [`  reason ${report.reason}`]),
    ...report.abortedAttempts.map(({ n, reason }) => `  aborted attempt ${n}: ${reason}`),
    ...report.steps.map(stepText),
  ];
}

function progressText({ move, volumes, to, from, stage, attempt, verdict, steps }: MoveProgress): string[] {
  return [
    `progress: ${move}#${attempt} of ${volumes.join(' ')}, ${from ?? 'from nowhere'} → ${to}, ${stage}, ${verdict ?? 'no verdict'}, ${steps.length} steps`,
    ...(stage === 'failed' ? steps.map(stepText) : []),
  ];
}
