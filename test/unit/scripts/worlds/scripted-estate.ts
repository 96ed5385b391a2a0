// A whole estate for scripts over the steps of a move: the real cores of the replica site and of
// splitters, behind ports whose calls a script can refuse, lose, and see.
import type { ClockSkew } from '../../../../contracts/clock.js';
import { applianceApi } from '../../../../contracts/appliance-api.js';
import { errorCodeSchema, MoverError } from '../../../../contracts/errors.js';
import {
  type ApplianceId,
  applianceIdSchema,
  type GroupId,
  groupIdSchema,
  type PointId,
  type SplitterId,
  splitterIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../../../contracts/ids.js';
import type { StepRun } from '../../../../activities/run.js';
import type { AppliancePort, Ports, SplitterPort } from '../../../../control/ports.js';
import { splitterApi } from '../../../../contracts/splitter-api.js';
import { attach, hear } from '../../../../simulator/replica-site/core/attach.js';
import * as attempts from '../../../../simulator/replica-site/core/attempts.js';
import { holderOf, wayBackOf } from '../../../../simulator/replica-site/core/listings.js';
import { pointsOf } from '../../../../simulator/replica-site/core/points.js';
import { admit, beginHole, endHole } from '../../../../simulator/replica-site/core/records.js';
import { claimOf } from '../../../support/identities.js';
import { folded } from '../script.js';
import { brief } from './brief.js';
import { GROUPS, ScriptedSite } from './scripted-site.js';
import { ScriptedSplitter } from './scripted-splitter.js';

const VOLUME_BYTES = 1024 * 1024;
/** A step that polls more often than this waits for what never comes. */
const PAUSES_MAX = 2_000;

/** What becomes of a call: refused before it is run, or its answer lost. */
interface Trouble {
  readonly kind: 'refused' | 'lost';
  readonly code: string;
}

export class ScriptedEstate {
  readonly site = new ScriptedSite();
  readonly splitters = new Map<SplitterId, ScriptedSplitter>();
  /** Processes that the estate of the worker does not name. */
  readonly unnamed = new Set<string>();
  readonly pausedGroups = new Set<GroupId>();
  /** What appliances found about clocks. */
  readonly skews: ClockSkew[] = [];
  /** Whether records reach the replica site. */
  isLinkUp = true;
  readonly #troubles = new Map<string, Trouble[]>();
  #lines: string[] = [];
  #pauses = 0;
  /** What happens by itself at a time. */
  readonly #later: { readonly atMs: number; readonly act: () => void }[] = [];

  /** The first start: every volume is attached. */
  found(
    volumes: readonly { readonly id: string; readonly group: string; readonly splitter: string }[],
    rooms: ReadonlyMap<string, number>,
  ): void {
    this.site.change(() => this.site.found(volumes, rooms));
    for (const { id, group, splitter } of volumes) {
      const host = this.#hostOf(splitterIdSchema.parse(splitter));
      const volume = volumeIdSchema.parse(id);
      host.rows.set(volume, {
        volume,
        sizeBytes: VOLUME_BYTES,
        route: { ...endpointOf(group), epoch: 1 },
        source: claimOf({ session: 1, epoch: 1, sizeBytes: VOLUME_BYTES }).source,
        proven: true,
      });
    }
    for (const host of this.splitters.values()) host.begin(1);
    this.deliver();
  }

  #hostOf(id: SplitterId): ScriptedSplitter {
    const host = this.splitters.get(id) ?? new ScriptedSplitter(id);
    this.splitters.set(id, host);
    return host;
  }

  hostOfVolume(volume: VolumeId): ScriptedSplitter {
    const host = [...this.splitters.values()].find(({ core }) => core.has(volume));
    if (host === undefined) throw new Error(`no splitter has ${volume}`);
    return host;
  }

  /** Attaches what is not attached, and brings all that may be sent to the replica site. */
  deliver(): void {
    if (!this.isLinkUp) return;
    for (const host of this.splitters.values())
      for (const split of host.core.volumes) {
        const { volume } = split;
        const { core, lineages, now } = this.site;
        if (!split.connected) {
          const { session, epoch, group, ticket } = split.claim();
          const claim = claimOf({ session, epoch, sizeBytes: VOLUME_BYTES, ticket }, group);
          const heard = this.site.change(() => hear(core, volume, claim, now));
          if (heard.kind !== 'newSession' && heard.kind !== 'sameSession') continue;
          split.attached(this.site.change(() => attach(core, volume, claim)));
        }
        for (let copy = split.peek(); copy !== undefined; copy = split.peek()) {
          const head = { session: split.session, n: copy.n, epoch: split.row.route.epoch };
          if (admit(core, volume, head).kind !== 'append') break;
          const position = lineages.durable(volume).position + 1;
          if (copy.kind === 'initBegin') {
            const { sinceMs, reason } = copy;
            beginHole(core, volume, { fromPosition: position, sinceMs, reason });
          }
          if (copy.kind === 'initEnd') endHole(core, volume, position, copy.timeMs);
          lineages.records.set(volume, [...(lineages.records.get(volume) ?? []), head]);
          split.advance();
        }
        const durable = lineages.durable(volume);
        if (durable.session === split.session) split.receipt(durable.n);
      }
  }

  // ---- time ----

  later(ms: number, act: () => void): void {
    this.#later.push({ atMs: this.site.monotonicMs + ms, act });
  }

  advance(ms: number): void {
    const until = this.site.monotonicMs + ms;
    for (const each of [this.site, ...this.splitters.values()]) {
      each.monotonicMs += ms;
      each.wallMs += ms;
    }
    for (const due of this.#later.filter(({ atMs }) => atMs <= until)) {
      this.#later.splice(this.#later.indexOf(due), 1);
      due.act();
    }
    for (const host of this.splitters.values()) host.core.tick(host.monotonicMs);
    this.deliver();
  }

  /** What a step runs with: while it sleeps, the estate's time passes. */
  get run(): StepRun {
    return {
      nowMs: () => this.site.wallMs,
      monotonicMs: () => this.site.monotonicMs,
      sleep: async (ms) => {
        this.#lines.push(`pauses ${ms} ms`);
        this.#pauses += 1;
        if (this.#pauses > PAUSES_MAX) throw new Error('the step waits for what never comes');
        this.advance(ms);
        await Promise.resolve();
      },
      heartbeat: (details) => this.#lines.push(`beats ${brief(details)}`),
    };
  }

  /** What was called since the last time. */
  takeLines(): string[] {
    const lines = folded(this.#lines);
    this.#lines = [];
    return lines;
  }

  // ---- ports ----

  /** Plans what becomes of the next call of that name, such as `s1.fence` or `gold.open`. */
  trouble(name: string, trouble: Trouble): void {
    this.#troubles.set(name, [...(this.#troubles.get(name) ?? []), trouble]);
  }

  async #call<T>(name: string, input: unknown, answer: () => T): Promise<T> {
    const trouble = this.#troubles.get(name)?.shift();
    const fails = (error: MoverError): never => {
      this.#lines.push(`${name} ${brief(input)} → ${error.code}`);
      throw error;
    };
    await Promise.resolve();
    if (trouble?.kind === 'refused')
      return fails(new MoverError(errorCodeSchema.parse(trouble.code), `${name} was refused`));
    let result: T;
    try {
      result = answer();
    } catch (error) {
      if (error instanceof MoverError) return fails(error);
      throw error;
    }
    if (trouble !== undefined)
      return fails(new MoverError(errorCodeSchema.parse(trouble.code), `the answer of ${name} was lost`));
    this.#lines.push(`${name} ${brief(input)}`);
    return result;
  }

  get ports(): Ports {
    const appliances = GROUPS.filter((group) => !this.unnamed.has(group)).map((group): [ApplianceId, AppliancePort] => {
      const id = applianceIdSchema.parse(`for-${group}`);
      return [id, { id, url: `http://${group}.test`, calls: this.#applianceCalls(group) }];
    });
    const splitters = [...this.splitters.values()]
      .filter(({ id }) => !this.unnamed.has(id))
      .map((host): [SplitterId, SplitterPort] => [host.id, { id: host.id, calls: this.#splitterCalls(host) }]);
    return { appliances: new Map(appliances), splitters: new Map(splitters) };
  }

  #splitterCalls(host: ScriptedSplitter): SplitterPort['calls'] {
    const call = <T>(name: string, input: unknown, answer: () => T): Promise<T> =>
      this.#call(`${host.id}.${name}`, input, answer);
    const api = splitterApi;
    const calls: Partial<SplitterPort['calls']> = {
      inventory: (input) =>
        call('inventory', input, () => {
          const answer = host.core.inventory(api.inventory.input.parse(input));
          // A clock in doubt says so. Its time is that of this process: there is no skew beside it.
          const { clockDoubt: doubt } = host;
          return doubt === undefined ? answer : { ...answer, clock: { wallMs: Date.now(), doubt } };
        }),
      notify: (input) => call('notify', input, () => host.core.notify(api.notify.input.parse(input))),
      fence: (input) => call('fence', input, () => host.core.fence(api.fence.input.parse(input), host.now)),
      confirm: (input) =>
        call('confirm', input, () => host.core.confirm(api.confirm.input.parse(input), host.monotonicMs)),
      renew: (input) => call('renew', input, () => host.core.renew(api.renew.input.parse(input), host.monotonicMs)),
      learn: (input) => call('learn', input, () => host.core.learn(api.learn.input.parse(input), host.wallMs)),
    };
    return calls as SplitterPort['calls'];
  }

  #applianceCalls(group: string): AppliancePort['calls'] {
    const call = <T>(name: string, input: unknown, answer: () => T): Promise<T> =>
      this.#call(`${group}.${name}`, input, () => this.site.change(answer));
    const { site } = this;
    const api = applianceApi;
    const calls: Partial<AppliancePort['calls']> = {
      describe: (input) =>
        call('describe', input, () => ({
          appliance: applianceIdSchema.parse(`for-${group}`),
          link: { cut: false },
          pausedGroups: [...this.pausedGroups],
          ...(this.skews.length === 0 ? {} : { skews: this.skews }),
          nbd: { host: '127.0.0.1', port: 1 },
        })),
      siteGroups: (input) => call('siteGroups', input, () => ({ groups: [this.#groupOf(input.group)] })),
      siteVolumes: (input) => call('siteVolumes', input, () => ({ volumes: [this.#volumeOf(input.volume)] })),
      lag: (input) =>
        call('lag', input, () => {
          const { volume } = api.lag.input.parse(input);
          return { volume, bufferedBytes: 0, undistributedBytes: site.lineages.undistributedBytes(volume) };
        }),
      open: (input) =>
        call('open', input, () => attempts.openAttempt(site.core, api.open.input.parse(input), site.now)),
      renew: (input) =>
        call('renew', input, () => {
          const { attempt, leaseMs } = api.renew.input.parse(input);
          return attempts.renewAttempt(site.core, attempt, leaseMs, site.monotonicMs);
        }),
      drain: (input) =>
        call('drain', input, () => {
          const { attempt, cuts } = api.drain.input.parse(input);
          return attempts.drainProgress(site.core, attempt, cuts);
        }),
      seal: (input) =>
        call('seal', input, () => {
          const { attempt, cuts, others, atMs, doubt, leaseMs } = api.seal.input.parse(input);
          attempts.renewIfOpen(site.core, attempt, leaseMs, site.monotonicMs);
          return attempts.sealAttempt(site.core, attempt, cuts, others, atMs, { now: site.now, doubt });
        }),
      bookmark: (input) =>
        call('bookmark', input, () => {
          const parsed = api.bookmark.input.parse(input);
          attempts.renewIfOpen(site.core, parsed.attempt, parsed.leaseMs, site.monotonicMs);
          return attempts.bookmarkAttempt(site.core, parsed.attempt, parsed);
        }),
      adopt: (input) =>
        call('adopt', input, () => {
          const { attempt, leaseMs } = api.adopt.input.parse(input);
          attempts.renewIfOpen(site.core, attempt, leaseMs, site.monotonicMs);
          return attempts.adoptAttempt(site.core, attempt, site.now);
        }),
      resolve: (input) =>
        call('resolve', input, () => {
          const { attempt, reason } = api.resolve.input.parse(input);
          return attempts.resolveAttempt(site.core, attempt, reason ?? 'no reason', site.wallMs);
        }),
      get: (input) => call('get', input, () => attempts.getAttempt(site.core, api.get.input.parse(input))),
      join: (input) =>
        call('join', input, () => {
          const { attempt } = api.join.input.parse(input);
          const { contents } = attempts.getAttempt(site.core, attempt);
          const point = contents === undefined ? undefined : this.#closePoint(contents.to);
          return point === undefined
            ? attempts.getAttempt(site.core, attempt)
            : attempts.joinAttempt(site.core, attempt, point);
        }),
      listPoints: (input) =>
        call('listPoints', input, () => {
          const { volume, group } = api.listPoints.input.parse(input);
          const holes = volume === undefined ? [] : site.core.holesOf(volume);
          return { points: pointsOf(site.core, { volume, group }), holes, owners: [] };
        }),
    };
    return calls as AppliancePort['calls'];
  }

  /** Closes a point of a group from where its members stand now. */
  #closePoint(group: GroupId): PointId {
    const rounds = [...this.splitters.values()].map((host) =>
      host.core.cut({ round: `r${this.site.monotonicMs}`, group, holdMs: 0 }, host.now),
    );
    const point = attempts.closeGroupPoint(
      this.site.core,
      {
        group,
        kind: 'periodic',
        atMs: this.site.wallMs,
        cuts: rounds.flatMap(({ cuts }) => cuts),
        leftOut: rounds.flatMap(({ leftOut }) => leftOut),
      },
      this.site.now,
    );
    return point.id;
  }

  #groupOf(id: string | undefined) {
    const { core } = this.site;
    const row = core.group(groupIdSchema.parse(id));
    return {
      group: row.group,
      appliance: row.appliance,
      volumesMax: row.volumesMax,
      pointEveryMs: row.pointEveryMs,
      retention: row.retention,
      journal: row.journal,
      volumes: core.memberCount(row.group),
      reserved: attempts.comingTo(core, row.group, this.site.now),
    };
  }

  #volumeOf(id: string | undefined) {
    const { core, lineages, monotonicMs } = this.site;
    const row = core.volume(volumeIdSchema.parse(id));
    return {
      volume: row.volume,
      splitter: row.splitter,
      sizeBytes: row.sizeBytes,
      group: row.group,
      appliance: core.group(row.group).appliance,
      epoch: row.epoch,
      durable: lineages.durable(row.volume),
      appliedPosition: lineages.appliedPosition(row.volume),
      undistributedBytes: lineages.undistributedBytes(row.volume),
      initializing: row.openHole !== undefined,
      ...holderOf(core, row, monotonicMs),
      ...wayBackOf(core, row, this.site.now.ageMs),
    };
  }
}

function endpointOf(group: string) {
  return {
    group: groupIdSchema.parse(group),
    appliance: applianceIdSchema.parse(`for-${group}`),
    url: `http://${group}.test`,
  };
}
