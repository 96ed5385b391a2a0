// The whole small world: parts as machines, and what is on its way between them. A call that was
// sent may arrive any number of times, at any later time, or never: so lost, repeated, late and
// reordered calls need no rules of their own.
import { attemptName } from '../../contracts/attempt.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { NewPoint } from '../../simulator/replica-site/core/points.js';
import { Mover, MOVER_START, type Answer, type MoverState, type Request, type SplitterRequest } from './mover.js';
import { judgeHolds, judgeSite, judgeSplitter, judgeTogether } from './promises.js';
import { type Scenario, siteRows, splittersOf } from './scenario.js';
import { Interned, Sets } from './search/interned.js';
import { Machine } from './search/machine.js';
import { type SplitterMachine, splitterMachines } from './splitter-machines.js';
import { SitePart, type SiteInput, type SiteOutput, type SiteView } from './site-part.js';
import type { Frame, SplitterInput, SplitterOutput, SplitterView, VolumeView } from './splitter-part.js';

type SiteMachine = Machine<SiteInput, SiteOutput, SiteView>;

/** More than there are different answers in any search: `#answer` checks it. */
const ANSWERS_MAX = 10_000;

/** Steps of the guest's current write. */
const IDLE = 0;
const BEGUN = 1;
const HALF = 2;
const NUMBERED = 3;

/**
 * A state of the world: numbers of the parts' states, of lists of frames and of sets of calls and
 * answers.
 */
export interface WorldState {
  readonly mover: number;
  readonly site: number;
  readonly splitters: readonly number[];
  /** Frames of each volume on its present stream, and on streams that broke. */
  readonly live: readonly number[];
  readonly late: readonly number[];
  readonly sent: number;
  readonly answers: number;
  /** Writes acknowledged, and the step of the next one. */
  readonly written: number;
  readonly step: number;
  readonly crashes: number;
  readonly restarts: number;
  readonly breaks: number;
}

/**
 * Called for each way on.
 * @param isMovers whether it needs the mover to live
 */
export type Visit = (label: () => string, next: WorldState, isMovers: boolean) => void;
type On = (label: () => string, next: WorldState, isMovers?: boolean) => void;

export class World {
  readonly #scenario: Scenario;
  readonly #mover: Mover;
  readonly #splitterIds: readonly SplitterId[];
  readonly #volumes: readonly VolumeId[];
  readonly #hosts: readonly number[];
  readonly #splitters: readonly SplitterMachine[];
  readonly #site: SiteMachine;
  readonly #movers = new Interned<MoverState>((state) => JSON.stringify(state));
  readonly #frames = new Interned<readonly Frame[]>((frames) => frames.map(({ key }) => key).join());
  readonly #requests = new Interned<Request>(({ key }) => key);
  readonly #answers = new Interned<Answer>((answer) => JSON.stringify(answer));
  readonly #sent = new Sets();
  readonly #said = new Sets();
  readonly #heard = new Map<number, MoverState | undefined>();
  readonly #judged = new Set<string>();
  /** The input being tried: the last line of a trace that breaks a promise. */
  doing = '';

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#mover = new Mover(scenario.tries, scenario.flaws, scenario.forgets);
    this.#splitterIds = splittersOf(scenario);
    this.#volumes = scenario.volumes.map(({ volume }) => volume);
    this.#hosts = scenario.volumes.map(({ splitter }) => this.#splitterIds.indexOf(splitter));
    this.#splitters = splitterMachines(scenario, judgeSplitter);
    const { groups, volumes } = siteRows(scenario);
    this.#site = new Machine<SiteInput, SiteOutput, SiteView>(
      () => new SitePart(groups, volumes, scenario.flaws.site),
      (before, after) => judgeSite(scenario, before, after),
    );
  }

  /** Counts of states of the parts. */
  get sizes(): { readonly site: number; readonly splitters: number; readonly movers: number } {
    return {
      site: this.#site.size,
      splitters: Math.max(...this.#splitters.map((machine) => machine.size)),
      movers: this.#movers.size,
    };
  }

  /** The start: every volume is attached, and nothing was written. */
  initial(): WorldState {
    const none = this.#frames.of([]);
    let state: WorldState = {
      mover: this.#movers.of(MOVER_START),
      site: this.#site.initial,
      splitters: this.#splitters.map((machine) => machine.initial),
      live: this.#volumes.map(() => none),
      late: this.#volumes.map(() => none),
      sent: this.#sent.empty,
      answers: this.#said.empty,
      written: 0,
      step: IDLE,
      crashes: this.#scenario.crashes,
      restarts: this.#scenario.restarts,
      breaks: this.#scenario.breaks,
    };
    for (const [v] of this.#volumes.entries()) state = this.#attach(state, v);
    return this.#sendAll(state);
  }

  keyOf(state: WorldState): string {
    const { mover, site, splitters, live, late, sent, answers, written, step, crashes, restarts, breaks } = state;
    return [
      mover,
      site,
      ...splitters,
      ...live,
      ...late,
      sent,
      answers,
      written,
      step,
      crashes,
      restarts,
      breaks,
    ].join();
  }

  // ---- views ----

  siteView({ site }: WorldState): SiteView {
    return this.#site.view(site);
  }

  moverState({ mover }: WorldState): MoverState {
    return this.#movers.at(mover);
  }

  volumeView(state: WorldState, v: number): VolumeView {
    const found = this.#splitterView(state, this.#hostOf(v)).volumes.get(this.#volumeAt(v));
    if (found === undefined) throw new Error(`there is no volume ${v}`);
    return found;
  }

  #splitterView({ splitters }: WorldState, s: number): SplitterView {
    return this.#splitterAt(s).view(at(splitters, s));
  }

  #splitterAt(s: number): SplitterMachine {
    return at(this.#splitters, s);
  }

  #hostOf(v: number): number {
    return at(this.#hosts, v);
  }

  #volumeAt(v: number): VolumeId {
    return at(this.#volumes, v);
  }

  // ---- single steps ----

  #stepSplitter(state: WorldState, s: number, input: SplitterInput): { next: WorldState; output: SplitterOutput } {
    const before = at(state.splitters, s);
    this.doing = input.key;
    const { to, output } = this.#splitterAt(s).step(before, input);
    if (to === before) return { next: state, output };
    const next = { ...state, splitters: replaced(state.splitters, s, to) };
    return { next: this.#cutStreams(next, s), output };
  }

  /** Frames of a stream that is gone may still arrive; nobody hears their receipts. */
  #cutStreams(state: WorldState, s: number): WorldState {
    let next = state;
    for (const [v] of this.#volumes.entries()) {
      if (this.#hostOf(v) !== s || this.volumeView(next, v).isConnected) continue;
      const live = this.#frames.at(at(next.live, v));
      if (live.length === 0) continue;
      const late = this.#frames.of([...this.#frames.at(at(next.late, v)), ...live]);
      next = { ...next, live: replaced(next.live, v, this.#frames.of([])), late: replaced(next.late, v, late) };
    }
    return next;
  }

  #stepSite(state: WorldState, input: SiteInput): { next: WorldState; output: SiteOutput } {
    this.doing = input.key;
    const { to, output } = this.#site.step(state.site, input);
    return { next: to === state.site ? state : { ...state, site: to }, output };
  }

  #attach(state: WorldState, v: number): WorldState {
    const volume = this.#volumeAt(v);
    const { claim, claimKey } = this.volumeView(state, v);
    const input: SiteInput = { key: claimKey, do: 'attach', volume, claim };
    const { next, output } = this.#stepSite(state, input);
    if (output.kind !== 'met') return next;
    const { answer } = output;
    const key = `met ${volume} ${JSON.stringify(answer)}`;
    return this.#stepSplitter(
      next,
      this.#hostOf(v),
      answer.kind === 'attached'
        ? { key, do: 'attached', volume, meeting: answer }
        : { key, do: 'refused', volume, code: answer.code, advice: answer.advice },
    ).next;
  }

  #send(state: WorldState, requests: readonly Request[]): WorldState {
    let { sent } = state;
    for (const request of requests) sent = this.#sent.with(sent, this.#requests.of(request));
    return sent === state.sent ? state : { ...state, sent };
  }

  #sendAll(state: WorldState): WorldState {
    return this.#send(state, this.#mover.requests(this.moverState(state)));
  }

  /** Answers to calls of former phases are never heard again. */
  #moveOn(state: WorldState, mover: MoverState): WorldState {
    const number = this.#movers.of(mover);
    const kept = this.#said.members(state.answers).filter((id) => this.#hears(number, id) !== undefined);
    return this.#sendAll({ ...state, mover: number, answers: this.#said.of(kept) });
  }

  /** The mover after an answer, by number; undefined if it does not wait for it. */
  #hears(mover: number, answer: number): MoverState | undefined {
    const key = mover * ANSWERS_MAX + answer;
    if (this.#heard.has(key)) return this.#heard.get(key);
    const next = this.#mover.take(this.#movers.at(mover), this.#answers.at(answer));
    this.#heard.set(key, next);
    return next;
  }

  #answer(state: WorldState, answer: Answer): WorldState {
    const number = this.#answers.of(answer);
    if (number >= ANSWERS_MAX) throw new Error(`there are more than ${ANSWERS_MAX} different answers`);
    if (this.#hears(state.mover, number) === undefined) return state;
    const answers = this.#said.with(state.answers, number);
    if (answers === state.answers) return state;
    if (this.#scenario.crashes === 0) judgeHolds(this.#said.members(answers).map((id) => this.#answers.at(id)));
    return { ...state, answers };
  }

  // ---- all ways on ----

  expand(state: WorldState, visit: Visit): void {
    const on: On = (label, next, isMovers = false) => {
      if (next === state) return;
      this.#judge(next);
      visit(label, next, isMovers);
    };
    this.#guest(state, on);
    for (const [v] of this.#volumes.entries()) this.#data(state, v, on);
    for (const id of this.#sent.members(state.sent)) this.#deliver(state, this.#requests.at(id), on);
    this.#hearVerdicts(state, on);
    this.#moverSteps(state, on);
    for (const [s] of this.#splitterIds.entries()) this.#host(state, s, on);
    if (this.#scenario.forgets === true)
      on(() => 'the site forgets', this.#stepSite(state, { key: 'forget', do: 'forget' }).next);
    if (state.restarts > 0) {
      const restart: SiteInput = { key: 'restart', do: 'restart' };
      on(() => 'the replica site restarts', this.#restarted({ ...state, restarts: state.restarts - 1 }, restart));
    }
  }

  #restarted(state: WorldState, restart: SiteInput): WorldState {
    let { next } = this.#stepSite(state, restart);
    for (const [v, volume] of this.#volumes.entries())
      next = this.#stepSplitter(next, this.#hostOf(v), { key: `detach ${volume}`, do: 'detach', volume }).next;
    return next;
  }

  /** Promises about several parts, once for each combination. */
  #judge(state: WorldState): void {
    const key = `${state.site} ${state.splitters.join(' ')}`;
    if (this.#judged.has(key)) return;
    this.#judged.add(key);
    judgeTogether(this.siteView(state), new Map(this.#volumes.map((volume, v) => [volume, this.volumeView(state, v)])));
  }

  #guest(state: WorldState, on: On): void {
    const volume = this.#scenario.writes[state.written];
    if (volume === undefined) return;
    const token = state.written + 1;
    const s = this.#hostOf(this.#volumes.indexOf(volume));
    const say = (what: string) => (): string => `guest: ${what} write ${token} of ${volume}`;
    const mark: SplitterInput = { key: `mark ${volume}`, do: 'mark', volume };
    const source: SplitterInput = { key: `source ${volume} ${token}`, do: 'source', volume, token };
    const [first, second] = this.#scenario.flaws.marksLate === true ? [source, mark] : [mark, source];
    const go = (input: SplitterInput, step: number): WorldState => ({
      ...this.#stepSplitter(state, s, input).next,
      step,
    });
    if (state.step === IDLE) on(say(`${first.do} for`), go(first, BEGUN));
    else if (state.step === BEGUN) on(say(`${second.do} for`), go(second, HALF));
    else if (state.step === HALF)
      on(say('number'), go({ key: `number ${volume} ${token}`, do: 'number', volume, token }, NUMBERED));
    else if (!this.volumeView(state, this.#volumes.indexOf(volume)).isHeld)
      on(say('acknowledged'), { ...state, step: IDLE, written: state.written + 1 });
  }

  #data(state: WorldState, v: number, on: On): void {
    const volume = this.#volumeAt(v);
    const s = this.#hostOf(v);
    const view = this.volumeView(state, v);
    if (!view.isConnected) on(() => `${volume} attaches`, this.#attach(state, v));
    if (view.maySend) {
      const { next, output } = this.#stepSplitter(state, s, { key: `send ${volume}`, do: 'send', volume });
      if (output.kind === 'frame') {
        const live = this.#frames.of([...this.#frames.at(at(next.live, v)), output.frame]);
        on(() => `${volume} sends ${output.frame.key}`, { ...next, live: replaced(next.live, v, live) });
      }
    }
    if (view.mayResend) {
      const { next } = this.#stepSplitter(state, s, { key: `resend ${volume}`, do: 'resend', volume });
      on(() => `${volume} is sent again from its marks`, next);
    }
    if (state.breaks > 0 && view.isConnected) {
      const { next } = this.#stepSplitter(state, s, { key: `detach ${volume}`, do: 'detach', volume });
      on(() => `the stream of ${volume} breaks`, { ...next, breaks: state.breaks - 1 });
    }
    this.#arrive(state, v, 'live', on);
    this.#arrive(state, v, 'late', on);
  }

  /** The first frame of a stream arrives. Its receipt is heard if the stream is still there. */
  #arrive(state: WorldState, v: number, stream: 'live' | 'late', on: On): void {
    const [frame, ...rest] = this.#frames.at(at(state[stream], v));
    if (frame === undefined) return;
    const input: SiteInput = { key: frame.key, do: 'receive', frame };
    const { next, output } = this.#stepSite(state, input);
    const taken: WorldState = { ...next, [stream]: replaced(next[stream], v, this.#frames.of(rest)) };
    const label = (): string => `${stream} frame ${frame.key} arrives: ${words(output)}`;
    if (stream === 'late') on(label, taken);
    else on(label, this.#receipt(taken, v, output));
  }

  #receipt(state: WorldState, v: number, output: SiteOutput): WorldState {
    const volume = this.#volumeAt(v);
    const s = this.#hostOf(v);
    if (output.kind === 'refused')
      return this.#stepSplitter(state, s, { key: `detach ${volume}`, do: 'detach', volume }).next;
    if (output.kind !== 'receipt') return state;
    const { session, n } = output;
    return this.#stepSplitter(state, s, { key: `receipt ${volume} ${session}.${n}`, do: 'receipt', volume, session, n })
      .next;
  }

  #deliver(state: WorldState, request: Request, on: On): void {
    if (request.isAtSite) {
      const { next, output } = this.#stepSite(state, request.input);
      const label = (): string => `site: ${request.key}: ${words(output)}`;
      const isMovers = !this.#asks.has(request.key);
      if (output.kind !== 'record') {
        const isForgotten =
          output.kind === 'refused' && output.code === 'STALE_ATTEMPT' && request.input.do === 'resolve';
        on(label, isForgotten && isMovers ? this.#answer(next, { request: request.key, isForgotten }) : next);
        return;
      }
      const { contents, state: verdict } = output.record;
      const answer: Answer = {
        request: request.key,
        state: verdict,
        hasContents: contents !== undefined,
        ...(contents === undefined ? {} : { ticket: contents.ticket }),
      };
      on(label, isMovers ? this.#answer(next, answer) : next);
      return;
    }
    const s = this.#splitterIds.indexOf(request.splitter);
    const { next, output } = this.#stepSplitter(state, s, request.input);
    const answer = answerOf(request, output);
    on(() => `${request.key}: ${words(output)}`, answer === undefined ? next : this.#answer(next, answer));
  }

  /** What splitters asked for by themselves, by the call's key. */
  readonly #asks = new Map<
    string,
    { readonly splitter: SplitterId; readonly pending: SplitterView['announced'][number] }
  >();

  #ask(state: WorldState, s: number, all: SplitterView['announced']): WorldState {
    let next = state;
    for (const pending of all) {
      const { move, n } = pending.attempt;
      const splitter = at(this.#splitterIds, s);
      const key = `resolve ${attemptName(pending.attempt)} for ${splitter} ${pending.volumes.join('+')}`;
      this.#asks.set(key, { splitter, pending });
      const ticket = this.#scenario.forgets === true ? { ticket: pending.attempt.ticket } : {};
      next = this.#send(next, [
        { key, isAtSite: true, input: { key, do: 'resolve', attempt: { move, n }, ...ticket } },
      ]);
    }
    return next;
  }

  /**
   * A splitter that asked hears the verdict, once there is one: it never changes, so it needs no
   * message of its own. Any later life of the splitter may hear it too.
   */
  #hearVerdicts(state: WorldState, on: On): void {
    for (const id of this.#sent.members(state.sent)) {
      const ask = this.#asks.get(this.#requests.at(id).key);
      if (ask === undefined) continue;
      const { splitter, pending } = ask;
      const verdict = this.siteView(state).attempts.get(attemptName(pending.attempt))?.state;
      if (verdict === undefined || verdict === 'OPEN') continue;
      const isForgotten = this.siteView(state).forgotten.has(attemptName(pending.attempt));
      for (const said of isForgotten ? ([verdict, 'FORGOTTEN'] as const) : [verdict]) {
        const key = `verdict ${attemptName(pending.attempt)} ${pending.volumes.join('+')} ${said}`;
        const input: SplitterInput = { key, do: 'verdict', pending, verdict: said };
        const { next } = this.#stepSplitter(state, this.#splitterIds.indexOf(splitter), input);
        on(() => `${splitter} hears: ${key}`, next);
      }
    }
  }

  #host(state: WorldState, s: number, on: On): void {
    const id = at(this.#splitterIds, s);
    const view = this.#splitterView(state, s);
    if (view.isHeld)
      on(() => `holds of ${id} end`, this.#stepSplitter(state, s, { key: 'holdsEnd', do: 'holdsEnd' }).next);
    if (view.isFenced) {
      const { next, output } = this.#stepSplitter(state, s, { key: 'leasesEnd', do: 'leasesEnd' });
      const pending = output.kind === 'pending' ? output.pending : [];
      if (this.#scenario.flaws.leaseDecides === true)
        on(() => `${id} decides by its lease`, this.#decideAlone(next, s, pending));
      else on(() => `leases of ${id} end`, this.#ask(next, s, pending));
    }
    if (view.announced.length > 0) on(() => `${id} asks about old notices`, this.#ask(state, s, view.announced));
    if (state.crashes > 0) {
      const { next } = this.#stepSplitter(state, s, { key: 'crash', do: 'crash' });
      const volume = this.#scenario.writes[state.written];
      const isInterrupted = volume !== undefined && this.#hostOf(this.#volumes.indexOf(volume)) === s;
      on(() => `${id} crashes`, {
        ...this.#cutStreams(next, s),
        crashes: state.crashes - 1,
        step: isInterrupted ? IDLE : state.step,
      });
    }
  }

  #decideAlone(state: WorldState, s: number, all: SplitterView['announced']): WorldState {
    let next = state;
    for (const pending of all) {
      const key = `alone ${attemptName(pending.attempt)} ${pending.volumes.join('+')}`;
      next = this.#stepSplitter(next, s, { key, do: 'verdict', pending, verdict: 'ABORTED' }).next;
    }
    return next;
  }

  #moverSteps(state: WorldState, on: On): void {
    const mover = this.moverState(state);
    this.#join(state, mover, on);
    for (const id of this.#said.members(state.answers)) {
      const next = this.#hears(state.mover, id);
      if (next !== undefined) on(() => `mover hears: ${this.#answers.at(id).request}`, this.#moveOn(state, next), true);
    }
    const givenUp = this.#mover.giveUp(mover);
    if (givenUp !== undefined) on(() => 'mover gives up', this.#moveOn(state, givenUp), true);
  }

  /**
   * A point of the new group, cut at one instant, joins a committed attempt. A round that can't
   * join changes nothing that matters here, and is left out.
   */
  #join(state: WorldState, mover: MoverState, on: On): void {
    for (const record of this.siteView(state).attempts.values()) {
      const { contents, attempt } = record;
      if (record.state !== 'COMMITTED' || contents === undefined) continue;
      const isMine = mover.phase === 'join' && attemptName(this.#mover.tryOf(mover).attempt) === attemptName(attempt);
      if (record.joined !== undefined) {
        if (isMine) on(() => 'mover hears of the join', this.#moveOn(state, this.#mover.joined(mover)), true);
        continue;
      }
      const point = this.#round(state, contents.to);
      const { next, output } = this.#stepSite(state, {
        key: `join ${attemptName(attempt)} ${JSON.stringify(point)}`,
        do: 'join',
        attempt,
        point,
      });
      if (output.kind === 'record' && output.record.joined !== undefined)
        on(() => `${attemptName(attempt)} joins ${contents.to}`, next);
    }
  }

  #round(state: WorldState, group: NewPoint['group']): NewPoint {
    const cuts: NewPoint['cuts'][number][] = [];
    const leftOut: NewPoint['leftOut'][number][] = [];
    for (const [s] of this.#splitterIds.entries()) {
      const input: SplitterInput = { key: `cut ${group}`, do: 'cut', input: { round: 'r', group, holdMs: 0 } };
      const { output } = this.#splitterAt(s).step(at(state.splitters, s), input);
      if (output.kind !== 'cuts') continue;
      cuts.push(...output.answer.cuts);
      leftOut.push(...output.answer.leftOut);
    }
    return { group, kind: 'periodic', atMs: 1_000, cuts, leftOut };
  }

  // ---- ends ----

  /**
   * Whether all is as it should be when nothing goes on, whatever the mover does. Each state must
   * be able to get here without it.
   */
  isQuiet(state: WorldState): boolean {
    if (state.written < this.#scenario.writes.length) return false;
    const site = this.siteView(state);
    for (const { state: verdict, joined, contents } of site.attempts.values()) {
      const isInForce = contents?.volumes.every(({ volume, epoch }) => site.volumes.get(volume)?.epoch === epoch + 1);
      if (verdict === 'COMMITTED' && isInForce === true && joined === undefined) return false;
    }
    return this.#volumes.every((volume, v) => {
      const { row, source, isClean, isConnected, isSynced } = this.volumeView(state, v);
      const owner = site.volumes.get(volume);
      return (
        isClean &&
        isConnected &&
        isSynced &&
        row.fence === undefined &&
        row.notice === undefined &&
        owner?.sealed === false &&
        owner.openHole === undefined &&
        owner.group === row.route.group &&
        owner.epoch === row.route.epoch &&
        site.lineages.get(volume)?.newest === source
      );
    });
  }

  /** Whether the mover has ended. */
  hasEnded(state: WorldState): boolean {
    return this.moverState(state).phase === 'done';
  }
}

function answerOf({ key, input }: SplitterRequest, output: SplitterOutput): Answer | undefined {
  switch (output.kind) {
    case 'done':
      return { request: key };
    case 'fenced':
      return { request: key, cuts: output.answer.cuts, others: output.answer.others };
    case 'held':
      return { request: key, held: output.held };
    case 'refused':
      // A splitter that knows newer attempts has learned this one before.
      return input.do === 'learn' && output.code === 'STALE_ATTEMPT' ? { request: key } : undefined;
    default:
      return undefined;
  }
}

function words(output: SplitterOutput | SiteOutput): string {
  switch (output.kind) {
    case 'refused':
      return output.code;
    case 'held':
      return output.held ? 'held' : 'not held';
    case 'fenced':
      return output.answer.cuts.map(({ volume, session, n }) => `${volume} cut at ${session}.${n}`).join(', ');
    default:
      return output.kind;
  }
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`there is no entry ${index}`);
  return found;
}

function replaced(list: readonly number[], index: number, value: number): number[] {
  const copy = [...list];
  copy[index] = value;
  return copy;
}
