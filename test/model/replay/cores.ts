// The real cores on the way of a trace: each step of the specification becomes the inputs it stands
// for, and afterwards both must be in the same state. States of cores are shared by all traces, so
// what was compared once is not compared again.
import type { Cut } from '../../../contracts/attempt.js';
import { attemptName } from '../../../contracts/attempt.js';
import type { AskedVerdict } from '../../../simulator/splitter/core/splitter-core.js';
import { Mover, MOVER_START, type Phase, type Request } from '../mover.js';
import { type Scenario, siteRows } from '../scenario.js';
import { Machine } from '../search/machine.js';
import { splitterMachines } from '../splitter-machines.js';
import { SitePart, type SiteInput, type SiteOutput, type SiteView } from '../site-part.js';
import type { Frame, SplitterInput, SplitterOutput, SplitterView, VolumeView } from '../splitter-part.js';
import { differencesOf } from './compare.js';
import type { SpecStep, SpecWorld, SpecYes } from './spec.js';

type Pending = SplitterView['announced'][number];

/** The orchestrator's phases, by the specification's names of calls. */
const PHASES: Readonly<Record<string, Phase>> = {
  open: 'open',
  notify: 'notify',
  fence: 'fence',
  confirm: 'confirm',
  seal: 'seal',
  bookmark: 'bookmark',
  adopt: 'adopt',
  resolve: 'resolve',
  'learn COMMITTED': 'learnCommitted',
  'learn ABORTED': 'learnAborted',
};

/** What a splitter that asked is told, by the specification's names of calls. */
const VERDICTS: Readonly<Record<string, AskedVerdict>> = {
  'learn COMMITTED': 'COMMITTED',
  'learn ABORTED': 'ABORTED',
  'learn FORGOTTEN': 'FORGOTTEN',
};

const NOBODY = -1;

/** The cores, and one trace at a time. */
export class Cores {
  readonly #scenario: Scenario;
  readonly #mover: Mover;
  readonly #splitters: readonly Machine<SplitterInput, SplitterOutput, SplitterView>[];
  readonly #site: Machine<SiteInput, SiteOutput, SiteView>;
  readonly #compared = new Set<string>();
  /** States of the parts now. */
  #states: number[] = [];
  #siteState = 0;
  #frames = new Map<string, Frame>();
  #pending = new Map<string, Pending>();
  /** Steps that were followed, over all traces. */
  steps = 0;
  /** Steps by name. */
  readonly counts = new Map<string, number>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#mover = new Mover(scenario.tries, {}, scenario.forgets);
    this.#splitters = splitterMachines(scenario, () => undefined);
    const { groups, volumes } = siteRows(scenario);
    this.#site = new Machine<SiteInput, SiteOutput, SiteView>(
      () => new SitePart(groups, volumes),
      () => undefined,
    );
  }

  /** Distinct states of the cores so far. */
  get sizes(): { readonly site: number; readonly splitters: number } {
    return { site: this.#site.size, splitters: Math.max(...this.#splitters.map(({ size }) => size)) };
  }

  /** Begins a trace: every volume is attached, and nothing was written. */
  begin(world: SpecWorld): void {
    this.#states = this.#splitters.map(({ initial }) => initial);
    this.#siteState = this.#site.initial;
    this.#frames = new Map();
    this.#pending = new Map();
    for (const v of this.#states.keys()) this.#attach(v);
    this.#compare(world);
  }

  /**
   * Follows one step.
   * @throws Error that says how the cores and the specification differ
   */
  follow(step: SpecStep, before: SpecWorld, after: SpecWorld): void {
    this.steps += 1;
    this.counts.set(step.name, (this.counts.get(step.name) ?? 0) + 1);
    this.#do(step, before, after);
    this.#compare(after);
  }

  #compare(world: SpecWorld): void {
    const key = `${this.#siteState} ${this.#states.join(' ')} ${JSON.stringify([
      [...world.splits],
      [...world.vols],
      [...world.records].map(([t, { left, cuts, ...rest }]) => [t, rest, [...left], [...cuts]]),
    ])}`;
    if (this.#compared.has(key)) return;
    const site = this.#site.view(this.#siteState);
    const views = this.#scenario.volumes.map((_placed, v) => this.#volume(v));
    const differences = differencesOf(this.#scenario, world, site, views);
    if (differences.length > 0) throw new Error(differences.join('\n'));
    this.#compared.add(key);
  }

  #volume(v: number): VolumeView {
    const volume = this.#scenario.volumes[v]?.volume;
    const view = volume === undefined ? undefined : this.#view(v).volumes.get(volume);
    if (view === undefined) throw new Error(`there is no volume ${v}`);
    return view;
  }

  #view(v: number): SplitterView {
    return this.#machine(v).view(this.#states[v] ?? 0);
  }

  #machine(v: number): Machine<SplitterInput, SplitterOutput, SplitterView> {
    const machine = this.#splitters[v];
    if (machine === undefined) throw new Error(`there is no splitter ${v}`);
    return machine;
  }

  #splitter(v: number, input: SplitterInput): SplitterOutput {
    const { to, output } = this.#machine(v).step(this.#states[v] ?? 0, input);
    this.#states[v] = to;
    return output;
  }

  #atSite(input: SiteInput): SiteOutput {
    const { to, output } = this.#site.step(this.#siteState, input);
    this.#siteState = to;
    return output;
  }

  #attach(v: number): void {
    const placed = this.#scenario.volumes[v];
    if (placed === undefined) throw new Error(`there is no volume ${v}`);
    const { volume } = placed;
    const { claim, claimKey } = this.#volume(v);
    const output = this.#atSite({ key: claimKey, do: 'attach', volume, claim });
    if (output.kind !== 'met') throw new Error('an attach was not answered');
    const { answer } = output;
    const key = `met ${volume} ${JSON.stringify(answer)}`;
    this.#splitter(
      v,
      answer.kind === 'attached'
        ? { key, do: 'attached', volume, meeting: answer }
        : { key, do: 'refused', volume, code: answer.code, advice: answer.advice },
    );
  }

  #do(step: SpecStep, before: SpecWorld, after: SpecWorld): void {
    const { name, v } = step;
    const volume = this.#scenario.volumes[v]?.volume;
    if (volume !== undefined && this.#ofVolume(step, volume)) return;
    switch (name) {
      case 'hear':
      case 'hearJoin':
      case 'giveUp':
      case 'die':
        return;
      case 'arrive': {
        const frame = this.#frames.get(frameKey(v, step.s, step.n, step.e));
        if (frame === undefined) throw new Error('a frame arrives that no core sent');
        this.#atSite({ key: frame.key, do: 'receive', frame });
        return;
      }
      case 'join':
        this.#join(step);
        return;
      case 'forget':
        this.#atSite({ key: 'forget', do: 'forget' });
        return;
      default:
        this.#deliver(step, before, after);
    }
  }

  /** @returns whether the step was one of a volume's own. */
  #ofVolume({ name, v, n, t, s, ticket }: SpecStep, volume: Frame['volume']): boolean {
    switch (name) {
      case 'guest':
        this.#guest(v, volume, n, t);
        return true;
      case 'send': {
        const output = this.#splitter(v, { key: `send ${volume}`, do: 'send', volume });
        if (output.kind !== 'frame') throw new Error('the specification sends, and the core has nothing to send');
        const { frame } = output;
        this.#frames.set(frameKey(v, frame.session, frame.n, frame.epoch), frame);
        return true;
      }
      case 'receipt':
        this.#splitter(v, { key: `receipt ${volume} ${s}.${n}`, do: 'receipt', volume, session: s, n });
        return true;
      case 'attach':
        this.#attach(v);
        return true;
      case 'resend':
        this.#splitter(v, { key: `resend ${volume}`, do: 'resend', volume });
        return true;
      case 'crash':
      case 'holdsEnd':
        this.#splitter(v, { key: name, do: name });
        return true;
      case 'leasesEnd': {
        const output = this.#splitter(v, { key: name, do: name });
        if (output.kind !== 'pending') throw new Error('a lease that ended was not answered');
        this.#asks(v, ticket, output.pending);
        return true;
      }
      case 'askAboutNotice':
        this.#asks(v, ticket, this.#view(v).announced);
        return true;
      default:
        return false;
    }
  }

  #guest(v: number, volume: Frame['volume'], step: number, token: number): void {
    if (step === 0) this.#splitter(v, { key: `mark ${volume}`, do: 'mark', volume });
    if (step === 1) this.#splitter(v, { key: `source ${volume} ${token}`, do: 'source', volume, token });
    if (step === 2) this.#splitter(v, { key: `number ${volume} ${token}`, do: 'number', volume, token });
    if (step === 3 && this.#volume(v).isHeld) throw new Error('the core still holds the acknowledgement');
  }

  #asks(v: number, ticket: number, pending: readonly Pending[]): void {
    const mine = pending.find(({ attempt }) => attempt.ticket === ticket);
    if (mine === undefined) throw new Error(`the core does not ask about ticket ${ticket}`);
    this.#pending.set(`${v} ${ticket}`, mine);
  }

  #join({ t }: SpecStep): void {
    const current = this.#scenario.tries[t - 1];
    if (current === undefined) throw new Error(`there is no try ${t}`);
    const { group } = current.to;
    const cuts = this.#splitters.flatMap((_machine, v) => {
      const input: SplitterInput = { key: `cut ${group}`, do: 'cut', input: { round: 'r', group, holdMs: 0 } };
      const output = this.#splitter(v, input);
      return output.kind === 'cuts' ? output.answer.cuts : [];
    });
    const point = { group, kind: 'periodic' as const, atMs: 1_000, cuts, leftOut: [] };
    const { attempt } = current;
    this.#atSite({ key: `join ${attemptName(attempt)} ${JSON.stringify(point)}`, do: 'join', attempt, point });
  }

  // ---- calls ----

  #requestOf({ name, t, ticket, v, cuts }: SpecStep): Request {
    const phase = PHASES[name];
    if (phase === undefined) throw new Error(`no step of the cores is called "${name}"`);
    const asCuts = this.#scenario.volumes.flatMap(({ volume }, at): Cut[] => {
      const cut = cuts.get(at);
      return cut === undefined ? [] : [{ volume, session: cut.s, n: cut.n }];
    });
    const requests = this.#mover.requests({ ...MOVER_START, at: t - 1, phase, ticket, cuts: asCuts });
    const target = v === NOBODY ? 'site' : this.#scenario.volumes[v]?.splitter;
    const request = requests.find((each) => (each.isAtSite ? 'site' : each.splitter) === target);
    if (request === undefined) throw new Error(`"${name}" is no call to ${target}`);
    return request;
  }

  #deliver(step: SpecStep, before: SpecWorld, after: SpecWorld): void {
    const { v, ticket, name, s: asker } = step;
    if (v !== NOBODY && asker !== NOBODY) {
      const pending = this.#pending.get(`${asker} ${ticket}`);
      if (pending === undefined) throw new Error('a verdict arrives that no core asked for');
      const verdict = VERDICTS[name];
      if (verdict === undefined) throw new Error(`no splitter is told "${name}"`);
      const output = this.#splitter(v, { key: `verdict ${ticket} ${verdict}`, do: 'verdict', pending, verdict });
      this.#expectAnswer(step, output, before, after);
      return;
    }
    const request = this.#requestOf(step);
    if (name === 'resolve' && asker !== NOBODY && this.#scenario.forgets === true) {
      // A splitter knows the ticket of what it asks about.
      const { attempt } = this.#mover.tryOf({ ...MOVER_START, at: step.t - 1 });
      const input: SiteInput = { key: `resolve ${attemptName(attempt)} t${ticket}`, do: 'resolve', attempt, ticket };
      this.#expectAnswer(step, this.#atSite(input), before, after);
      return;
    }
    const output = request.isAtSite ? this.#atSite(request.input) : this.#splitter(v, request.input);
    this.#expectAnswer(step, output, before, after);
  }

  /** Both say yes, with the same words, or both refuse. */
  #expectAnswer(step: SpecStep, output: SplitterOutput | SiteOutput, before: SpecWorld, after: SpecWorld): void {
    const isStale = output.kind === 'refused' && output.code === 'STALE_ATTEMPT' && step.name.startsWith('learn');
    if (output.kind === 'refused' && !isStale) {
      if (after.yes.length > before.yes.length)
        throw new Error(`"${step.name}" is answered in the specification, and the core refuses: ${output.code}`);
      return;
    }
    const isSame = (yes: SpecYes): boolean => {
      if (yes.name !== step.name || yes.t !== step.t || yes.v !== step.v) return false;
      if (output.kind === 'held') return yes.held === output.held;
      if (output.kind === 'record') return yes.state === output.record.state;
      if (output.kind !== 'fenced') return true;
      const [cut] = output.answer.cuts;
      return cut?.session === yes.cut.s && cut.n === yes.cut.n;
    };
    if (!after.yes.some(isSame))
      throw new Error(`the core answers "${step.name}" (${output.kind}), and the specification does not so`);
  }
}

function frameKey(v: number, session: number, n: number, epoch: number): string {
  return `${v} ${session}.${n} ${epoch}`;
}
