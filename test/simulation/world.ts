// A simulated estate: hosts, appliances, the replica site, and a network that delays, drops,
// duplicates and reorders.
import type { WriteMark } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import type { ApplianceId, GroupId, PointId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { LeftOut, RecoveryPoint } from '../../contracts/point.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import type { Calls, InputOf, OutputOf } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import type { AppliancePort, Ports, SplitterPort } from '../../control/ports.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { cutsReached, pointsOf, type NewPoint } from '../../simulator/replica-site/core/points.js';
import { pointIdOf, type VolumeRow } from '../../simulator/replica-site/core/rows.js';
import { inventoryVolume, pageOfVolumes } from '../../simulator/replica-site/core/volume-listing.js';
import type { PendingVerdict } from '../../simulator/splitter/core/splitter-core.js';
import { BatchPlans } from '../../simulator/replica-site/reports/batch-plans.js';
import { MoveReports } from '../../simulator/replica-site/reports/move-reports.js';
import { SOURCE } from '../support/identities.js';
import { Identities } from './identities.js';
import { memoryTexts } from './memory-texts.js';
import { tracedCalls } from './traced-calls.js';
import { BLOCK_BYTES, SiteHost, type Frame, type SiteFolder } from './site-host.js';
import { SplitterHost, tokensOf, type SplitterFolder } from './splitter-host.js';
import { Chance, VirtualTime } from './virtual-time.js';

const REGIONS = 6;
const STALL_MS_MAX = 1_000;
/** Id of the replica site's process, for its clock. */
const SITE = 'replica-site';
/** Jumps of clocks, in ms: a time service's step, a wrong time zone, a wrong month. */
const CLOCK_JUMPS_MS_MAX = [500, 10_000, 2 * 3_600_000, 31 * 86_400_000] as const;
const FULL_MS_MAX = 1_500;
/**
 * Interval of looks for old notices, in ms: about a lease, so that some are asked about while their
 * move still works.
 */
const NOTICE_LOOK_EVERY_MS = 1_000;
/** Factor on the chance of a put-back: copies are taken at every look, but crashes are rare. */
const PUT_BACK_PER_COPY = 10;
export const BLOCKS = REGIONS * 16;
const SIZE_BYTES = BLOCKS * BLOCK_BYTES;

export interface Faults {
  /**
   * Chance that a control call's request or answer is lost, or that a request arrives again later.
   */
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMsMax: number;
  /**
   * Chance that a frame, and all behind it on its stream, is late by up to a second. Its splitter
   * may run a new life by then.
   */
  readonly stall: number;
  /** Chance per look (every ~50 ms) that a stream breaks, or that a process crashes. */
  readonly breakStream: number;
  readonly crash: number;
  /**
   * Chance per look that a process's wall clock is set, by up to a month either way. Its monotonic
   * clock is not.
   */
  readonly clockJump: number;
  /** Chance that a crashed process comes up with an older copy of its folder, or an empty one. */
  readonly sitePutBack: number;
  readonly splitterPutBack: number;
  /**
   * Chance that a crashed splitter has lost its folder. In every other case the replica site is
   * down too.
   */
  readonly splitterLost: number;
  /** Chance per look that a process's disk is full for a while. */
  readonly full: number;
  /**
   * Whether splitter and replica site compare what they have at an attach. Off, the checker must
   * notice.
   */
  readonly compareEnds: boolean;
  /** Whether guests wait until disks are proven. Off, the checker must notice. */
  readonly proveSources: boolean;
  /** Whether cuts over several splitters are confirmed. Off, the checker must notice. */
  readonly confirmCuts: boolean;
}

export const NO_FAULTS: Faults = {
  loss: 0,
  duplicate: 0,
  delayMsMax: 3,
  stall: 0,
  breakStream: 0,
  crash: 0,
  clockJump: 0,
  sitePutBack: 0,
  splitterPutBack: 0,
  splitterLost: 0,
  full: 0,
  compareEnds: true,
  proveSources: true,
  confirmCuts: true,
};

type ApplianceCalls = Calls<typeof applianceApi>;
type SplitterCalls = Calls<typeof splitterApi>;

interface Stream {
  readonly appliance: ApplianceId;
  live: boolean;
  readonly attached: Set<VolumeId>;
  /** Arrival of the last frame sent, in ms: frames of a stream keep their order. */
  lastArrivalMs: number;
}

export interface WorldShape {
  readonly splitters: number;
  readonly volumesPerSplitter: number;
  /** VM and labels of a volume. */
  readonly described?: (volume: VolumeId) => Pick<VolumeRow, 'vm' | 'labels'>;
}

export class World {
  readonly time = new VirtualTime();
  readonly chance: Chance;
  faults: Faults;
  readonly site: SiteHost;
  readonly reports = new MoveReports(memoryTexts());
  readonly batches = new BatchPlans(memoryTexts());
  readonly splitters = new Map<SplitterId, SplitterHost>();
  readonly appliances: ReadonlyMap<ApplianceId, { up: boolean }>;
  readonly groups: readonly { readonly group: GroupId; readonly appliance: ApplianceId }[];
  readonly volumes: readonly VolumeId[];
  readonly #lastRounds = new Map<GroupId, Promise<undefined>>();
  /** The guest's writes in the order of issue. A write's token is its place here, from 1. */
  readonly history: { readonly volume: VolumeId; readonly block: number; readonly count: number }[] = [];
  acknowledged = 0;
  worstLatencyMs = 0;
  guestRuns = true;
  pointsSkipped = 0;
  stopped = false;
  /** Count of the faults that befell this run, by kind. */
  readonly befell = new Map<string, number>();
  /** Count of how often a guard, refusal or rare branch was reached, by name. */
  readonly reached = new Map<string, number>();
  /** Takes a line about each fault and call, when somebody reads along. */
  trace: ((line: string) => void) | undefined;
  readonly #streams = new Map<string, Stream>();
  /** Copies of folders: the first, and some of later instants. */
  readonly #siteCopies: SiteFolder[] = [];
  readonly #splitterCopies = new Map<SplitterId, SplitterFolder[]>();
  /** Count of put-backs. A splitter's takes the guest's disks back with it. */
  sitesPutBack = 0;
  splittersPutBack = 0;
  /** Count of lost folders: the disks are recovered from the replica. */
  splittersLost = 0;
  /** A wrong read of the guest. */
  misread: string | undefined;
  reads = 0;
  /**
   * What the guest expects on its disks: its acknowledged writes, over what it was told a disk was
   * put back to.
   */
  readonly #known = new Map<VolumeId, Uint32Array>();
  /** The write under way: its blocks may hold the old or the new token. */
  #underWay:
    | { readonly volume: VolumeId; readonly block: number; readonly count: number; readonly token: number }
    | undefined;

  constructor(seed: number, faults: Faults, shape: WorldShape) {
    this.chance = new Chance(seed);
    this.faults = faults;
    const a1 = 'a1' as ApplianceId;
    const a2 = 'a2' as ApplianceId;
    this.appliances = new Map([a1, a2].map((id) => [id, { up: true }]));
    this.groups = [
      { group: 'g1' as GroupId, appliance: a1 },
      { group: 'g2' as GroupId, appliance: a2 },
      { group: 'g3' as GroupId, appliance: a1 },
    ];
    const placed = Array.from({ length: shape.splitters }, (_, s) =>
      Array.from({ length: shape.volumesPerSplitter }, (_v, v) => ({
        splitter: `s${s}` as SplitterId,
        volume: `s${s}v${v}` as VolumeId,
      })),
    ).flat();
    this.volumes = placed.map(({ volume }) => volume);
    const g1 = 'g1' as GroupId;
    const identities = new Identities();
    this.site = new SiteHost(
      this.groups.map(({ group, appliance }) => ({
        group,
        appliance,
        volumesMax: 64,
        pointEveryMs: 200,
        lastPointAtMs: 0,
        retention: retentionPolicySchema.parse({}),
        journal: { bytes: 0, pointsDropped: 0 },
      })),
      placed.map(({ splitter, volume }) => ({
        volume,
        splitter,
        sizeBytes: SIZE_BYTES,
        group: g1,
        epoch: 1,
        session: 0,
        sealed: false,
        ...shape.described?.(volume),
      })),
      identities,
    );
    for (let s = 0; s < shape.splitters; s += 1) {
      const id = `s${s}` as SplitterId;
      const rows = placed
        .filter(({ splitter }) => splitter === id)
        .map(({ volume }) => ({
          volume,
          sizeBytes: SIZE_BYTES,
          route: { group: g1, appliance: a1, url: urlOf(a1), epoch: 1 },
          source: SOURCE,
        }));
      const host = new SplitterHost(id, this.time, rows, identities);
      host.provesSources = faults.proveSources;
      host.replicaAt = (volume, mark) => this.#replicaAt(volume, mark);
      this.splitters.set(id, host);
      this.#splitterCopies.set(id, [host.snapshot()]);
    }
    this.#siteCopies.push(this.site.snapshot());
  }

  #replicaAt(volume: VolumeId, mark: WriteMark): Uint32Array | undefined {
    const { site } = this;
    const position = site.up ? site.state.positionOf(site.state.volume(volume), mark) : undefined;
    return position === undefined || position > site.durable(volume).position
      ? undefined
      : site.contentAt(volume, position, BLOCKS);
  }

  /** Counts a fault. */
  befalls(kind: string, whom: string): void {
    this.befell.set(kind, (this.befell.get(kind) ?? 0) + 1);
    this.trace?.(`fault: ${kind}, ${whom}`);
  }

  hostOf(volume: VolumeId): SplitterHost {
    for (const host of this.splitters.values()) if (host.disks.has(volume)) return host;
    throw new Error(`no host has ${volume}`);
  }

  /** Starts everything that runs by itself. */
  start(): void {
    const every = (ms: number, run: () => void): void => {
      const again = (): void => {
        if (this.stopped) return;
        run();
        this.time.after(this.chance.between(ms / 2, ms * 1.5), again);
      };
      this.time.after(this.chance.between(0, ms), again);
    };
    for (const host of this.splitters.values()) {
      every(4, () => this.#pump(host));
      every(30, () => this.#tick(host));
      every(NOTICE_LOOK_EVERY_MS, () => this.#askAboutNotices(host));
      every(40, () => {
        for (const volume of host.disks.keys()) host.sweep(volume);
      });
    }
    every(5, () => this.site.distribute(1 + this.chance.below(8)));
    for (const { group } of this.groups) every(150, () => void this.#point(group).catch(() => undefined));
    every(50, () => this.#mischief());
    every(100, () => {
      for (const volume of this.volumes) this.#recover(volume);
    });
    void this.#guest();
    every(2, () => this.#read());
  }

  // ---- a person, and a guest that reads ----

  /** The newest state of the disk that the replica site has whole. */
  #recover(volume: VolumeId): void {
    const { site } = this;
    const host = this.hostOf(volume);
    if (!site.up || this.chance.hit(0.5)) return;
    let { position } = site.durable(volume);
    while (position > 0 && site.state.inHole(volume, position)) position -= 1;
    const isDone = host.recover(volume, () => site.contentAt(volume, position, BLOCKS).slice());
    if (isDone) this.#told(volume);
  }

  /** Tells the guest that a disk was put back or recovered. */
  #told(volume: VolumeId): void {
    this.#known.set(volume, this.hostOf(volume).disks.get(volume)?.slice() ?? new Uint32Array(BLOCKS));
  }

  #knownOf(volume: VolumeId): Uint32Array {
    const known = this.#known.get(volume) ?? new Uint32Array(BLOCKS);
    this.#known.set(volume, known);
    return known;
  }

  /**
   * Reads as the guest, which must get its last acknowledged write, the one under way, or an error.
   */
  #read(): void {
    const volume = this.chance.pick(this.volumes);
    const block = this.chance.below(BLOCKS);
    const found = this.hostOf(volume).read(volume, block);
    if (found === undefined) return;
    this.reads += 1;
    const expected = this.#knownOf(volume)[block];
    const write = this.#underWay;
    const isUnderWay =
      write?.volume === volume && block >= write.block && block < write.block + write.count && found === write.token;
    if (found !== expected && !isUnderWay)
      this.misread ??= `the guest read ${found} from block ${block} of ${volume} instead of its write ${expected}`;
  }

  // ---- the guest: issues a write once the one before is acknowledged, so points hold prefixes
  // ----

  async #guest(): Promise<void> {
    while (!this.stopped) {
      await this.time.sleep(this.chance.between(0, 6));
      if (!this.guestRuns) continue;
      const volume = this.chance.pick(this.volumes);
      const count = 1 + this.chance.below(3);
      const block = this.chance.below(BLOCKS - count);
      this.history.push({ volume, block, count });
      const token = this.history.length;
      const tokens = new Uint32Array(count).fill(token);
      this.#underWay = { volume, block, count, token };
      const issuedAtMs = this.time.nowMs;
      const pause = (): Promise<void> => this.time.sleep(this.chance.between(0, 2));
      let interrupted = false;
      for (;;) {
        const host = this.hostOf(volume);
        // A write that a crash cut off is never acknowledged.
        const done = await this.time.within(5_000, host.write(volume, block, tokens, pause));
        if (done === true) break;
        interrupted = true;
        await this.time.sleep(5);
      }
      this.acknowledged = this.history.length;
      this.#knownOf(volume).fill(token, block, block + count);
      this.#underWay = undefined;
      if (!interrupted) this.worstLatencyMs = Math.max(this.worstLatencyMs, this.time.nowMs - issuedAtMs);
    }
  }

  /** What a point's members must hold if this token's write is the newest in it. */
  stateAfter(token: number, volume: VolumeId): Uint32Array {
    const content = new Uint32Array(BLOCKS);
    for (let i = 0; i < token; i += 1) {
      const write = this.history[i];
      if (write !== undefined && write.volume === volume) content.fill(i + 1, write.block, write.block + write.count);
    }
    return content;
  }

  // ---- streams: splitter → appliance → replica site ----

  #streamOf(host: SplitterHost, appliance: ApplianceId): Stream {
    const key = `${host.id}>${appliance}`;
    const known = this.#streams.get(key);
    if (known?.live === true) return known;
    const fresh: Stream = { appliance, live: true, attached: new Set(), lastArrivalMs: 0 };
    this.#streams.set(key, fresh);
    return fresh;
  }

  #pathUp(appliance: ApplianceId): boolean {
    return this.site.up && this.appliances.get(appliance)?.up === true;
  }

  #pump(host: SplitterHost): void {
    const { core } = host;
    if (core === undefined) return;
    for (const split of core.volumes) {
      const { route } = split.row;
      if (!this.#pathUp(route.appliance)) {
        if (split.connected) split.detached();
        continue;
      }
      const stream = this.#streamOf(host, route.appliance);
      if (!split.connected || !stream.attached.has(split.volume)) {
        split.detached();
        const claim = { ...split.claim(), life: host.life, sizeBytes: split.row.sizeBytes };
        if (!this.#attach(host, split.volume, claim)) continue;
        stream.attached.add(split.volume);
      }
      host.resendOne(split.volume);
      for (let i = 0; i < 4; i += 1) {
        const copy = split.peek();
        if (copy === undefined) break;
        split.advance();
        const tokens = copy.kind === 'write' ? { tokens: tokensOf(split.dataOf(copy)) } : {};
        this.#send(host, stream, split.volume, { ...copy, session: split.session, epoch: route.epoch, ...tokens });
      }
    }
  }

  /** @returns whether the volume is attached. A full disk at either end postpones it. */
  #attach(host: SplitterHost, volume: VolumeId, claim: Claim): boolean {
    try {
      const answer = this.site.attach(volume, claim, this.time.momentOf(SITE), this.faults.compareEnds);
      if (answer.kind === 'attached') host.attached(volume, answer, this.faults.compareEnds);
      else host.refused(volume, answer, (owner) => ({ ...owner, url: urlOf(owner.appliance) }));
      return answer.kind === 'attached';
    } catch (error) {
      if (error instanceof MoverError && error.code === 'STORAGE_FULL') return false;
      throw error;
    }
  }

  /**
   * Delivers a frame in its stream's order, even after the stream broke: buffers on the way still
   * deliver.
   */
  #send(host: SplitterHost, stream: Stream, volume: VolumeId, frame: Frame): void {
    const { core } = host;
    if (this.chance.hit(this.faults.stall)) {
      stream.lastArrivalMs = this.time.nowMs + this.chance.between(0, STALL_MS_MAX);
      this.befalls('stall', `${host.id} to ${stream.appliance}`);
    }
    stream.lastArrivalMs = Math.max(
      stream.lastArrivalMs + 0.001,
      this.time.nowMs + this.chance.between(0, this.faults.delayMsMax),
    );
    this.time.after(stream.lastArrivalMs - this.time.nowMs, () => {
      if (!this.#pathUp(stream.appliance)) {
        stream.live = false;
        return;
      }
      const answer = this.site.receive(volume, frame);
      this.time.after(this.chance.between(0, this.faults.delayMsMax), () => {
        if (host.core !== core || core === undefined) return;
        const split = core.volume(volume);
        if (answer.kind === 'refused') {
          if (stream.live) stream.attached.delete(volume);
        } else if (answer.session === split.session && stream.live) {
          split.receipt(answer.n);
        }
      });
    });
  }

  #tick(host: SplitterHost): void {
    if (host.core === undefined) return;
    const pending = this.#tickOf(host);
    for (const verdict of pending) {
      const { core } = host;
      const appliance = this.chance.pick([...this.appliances.keys()]);
      void this.#over(appliance, 'resolve', () =>
        this.site.call((state) =>
          attempts.resolveAttempt(
            state,
            { move: verdict.attempt.move, n: verdict.attempt.n },
            'lease ran out',
            this.time.nowMs,
          ),
        ),
      )
        .then((record) => {
          if (host.core !== core || record.state === 'OPEN') return undefined;
          const { state } = record;
          host.call((now) => now.learnPending(verdict, state, this.time.nowMs));
          return undefined;
        })
        .catch(() => undefined);
    }
  }

  /** A store without room is asked again at the next tick. */
  #tickOf(host: SplitterHost): PendingVerdict[] {
    try {
      return host.call((core) => core.tick(this.time.nowMs));
    } catch (error) {
      if (error instanceof MoverError && error.code === 'STORAGE_FULL') return [];
      throw error;
    }
  }

  #askAboutNotices(host: SplitterHost): void {
    const { core } = host;
    for (const pending of core?.announced() ?? []) {
      const appliance = this.chance.pick([...this.appliances.keys()]);
      const attempt = { move: pending.attempt.move, n: pending.attempt.n };
      void this.#over(appliance, 'resolve', () =>
        this.site.call((state) =>
          attempts.resolveExpired(state, attempt, 'announced and gone', this.time.momentOf(SITE)),
        ),
      )
        .then((record) => {
          if (host.core !== core || record.state === 'OPEN') return undefined;
          const { state } = record;
          host.call((now) => now.learnPending(pending, state, this.time.nowMs));
          return undefined;
        })
        .catch(() => undefined);
    }
  }

  // ---- mischief ----

  #mischief(): void {
    if (this.chance.hit(this.faults.sitePutBack)) this.#siteCopies.push(this.site.snapshot());
    if (this.chance.hit(this.faults.splitterPutBack)) {
      const host = this.chance.pick([...this.splitters.values()]);
      this.#splitterCopies.get(host.id)?.push(host.snapshot());
    }
    for (const stream of this.#streams.values()) {
      if (!this.chance.hit(this.faults.breakStream)) continue;
      stream.live = false;
      this.befalls('broken stream', `to ${stream.appliance}`);
      for (const host of this.splitters.values())
        for (const split of host.core?.volumes ?? [])
          if (split.row.route.appliance === stream.appliance) split.detached();
    }
    if (this.chance.hit(this.faults.full)) {
      const disk = this.chance.pick([this.site, ...this.splitters.values()]);
      disk.full = true;
      this.befalls('full disk', disk instanceof SplitterHost ? disk.id : SITE);
      this.time.after(this.chance.between(5, FULL_MS_MAX), () => {
        disk.full = false;
      });
    }
    if (this.chance.hit(this.faults.crash)) this.crashSomething();
    if (this.faults.clockJump > 0 && this.chance.hit(this.faults.clockJump)) this.#setSomeClock();
  }

  #setSomeClock(): void {
    const process = this.chance.pick([...this.splitters.keys(), SITE]);
    const rangeMs = this.chance.pick(CLOCK_JUMPS_MS_MAX);
    this.time.wallShiftsMs.set(process, Math.floor(this.chance.between(-Math.min(rangeMs, this.time.nowMs), rangeMs)));
    this.befalls('clock set', process);
  }

  crashSomething(): void {
    const downMs = this.chance.between(5, 600);
    const which = this.chance.below(3);
    if (which === 0) {
      const host = this.chance.pick([...this.splitters.values()]);
      if (host.core === undefined) return;
      for (const [key, stream] of this.#streams) if (key.startsWith(`${host.id}>`)) stream.live = false;
      host.crash();
      this.befalls('splitter crash', host.id);
      this.time.after(downMs, () => {
        if (this.chance.hit(this.faults.splitterPutBack * PUT_BACK_PER_COPY)) {
          host.putBack(this.chance.pick(this.#splitterCopies.get(host.id) ?? []));
          this.splittersPutBack += 1;
          this.befalls('splitter put back', host.id);
          for (const volume of host.disks.keys()) this.#told(volume);
        }
        if (this.chance.hit(this.faults.splitterLost)) {
          host.lose();
          this.splittersLost += 1;
          this.befalls('splitter lost', host.id);
          if (this.chance.hit(0.5)) this.#crashSite(this.chance.between(5, 600));
        }
        host.start();
      });
    } else if (which === 1) {
      const [id, appliance] = this.chance.pick([...this.appliances]);
      if (!appliance.up) return;
      appliance.up = false;
      this.befalls('appliance crash', id);
      for (const stream of this.#streams.values()) stream.live = false;
      for (const host of this.splitters.values()) for (const split of host.core?.volumes ?? []) split.detached();
      this.time.after(downMs, () => {
        appliance.up = true;
      });
    } else this.#crashSite(downMs);
  }

  #crashSite(downMs: number): void {
    if (!this.site.up) return;
    this.site.crash();
    this.befalls('site crash', SITE);
    for (const stream of this.#streams.values()) stream.live = false;
    for (const host of this.splitters.values()) for (const split of host.core?.volumes ?? []) split.detached();
    this.time.after(downMs, () => {
      if (this.chance.hit(this.faults.sitePutBack * PUT_BACK_PER_COPY)) {
        this.site.putBack(this.chance.pick(this.#siteCopies));
        this.sitesPutBack += 1;
        this.befalls('site put back', SITE);
      }
      this.site.restart(this.time.nowMs);
    });
  }

  // ---- control calls over the network ----

  /**
   * Calls over the network: request or answer may be lost, and a copy of the request may arrive
   * much later.
   */
  async #network<T>(what: string, run: () => T): Promise<T> {
    const lost = (message: string): MoverError => {
      this.befalls(`lost ${message}`, what);
      return new MoverError('UNREACHABLE', `${what}: no answer`);
    };
    await this.time.sleep(this.chance.between(0, this.faults.delayMsMax));
    if (this.chance.hit(this.faults.loss)) throw lost('request');
    if (this.chance.hit(this.faults.duplicate)) {
      this.time.after(this.chance.between(0, 4_000), () => {
        this.befalls('late duplicate', what);
        try {
          run();
        } catch {
          // A late duplicate's answer is dropped.
        }
      });
    }
    const answer = run();
    await this.time.sleep(this.chance.between(0, this.faults.delayMsMax));
    if (this.chance.hit(this.faults.loss)) throw lost('answer');
    return answer;
  }

  #over<T>(appliance: ApplianceId, what: string, run: () => T): Promise<T> {
    return this.#network(`${what} at ${appliance}`, () => {
      if (this.appliances.get(appliance)?.up !== true)
        throw new MoverError('UNREACHABLE', `appliance ${appliance} is down`);
      if (!this.site.up) throw new MoverError('LINK_DOWN', 'the replica site is down');
      return run();
    });
  }

  /** Runs one cut round of a group over every splitter with members. */
  async #cutRound(group: GroupId): Promise<{ cuts: NewPoint['cuts']; leftOut: LeftOut[]; atMs: number } | undefined> {
    const hosts = [...this.splitters.values()].filter((host) =>
      [...host.disks.keys()].some((volume) => this.site.state.volumes.get(volume)?.group === group),
    );
    const round = `r${this.chance.below(1_000_000_000)}`;
    const holdMs = hosts.length > 1 ? 250 : 0;
    const answers = await Promise.all(
      hosts.map((host) =>
        this.#network(`cut at ${host.id}`, () =>
          host.call((core) => core.cut({ round, group, holdMs }, this.time.momentOf(host.id))),
        ),
      ),
    );
    if (hosts.length > 1) {
      const confirmed = await Promise.all(
        hosts.map((host) =>
          this.#network(`confirm at ${host.id}`, () =>
            host.call((core) => core.confirmCut({ round }, this.time.nowMs)),
          ),
        ),
      );
      if (this.faults.confirmCuts && !confirmed.every(({ held }) => held)) {
        this.pointsSkipped += 1;
        return undefined;
      }
    }
    return {
      cuts: answers.flatMap((answer) => answer.cuts),
      leftOut: answers.flatMap((answer) => answer.leftOut),
      atMs: Math.max(...answers.map((answer) => answer.atMs)),
    };
  }

  /** Runs a group's rounds one after another, as the appliance does. */
  async #point(group: GroupId): Promise<RecoveryPoint | undefined> {
    const point = (this.#lastRounds.get(group) ?? Promise.resolve()).then(async () => this.#closeRound(group));
    this.#lastRounds.set(
      group,
      point.then(
        () => undefined,
        () => undefined,
      ),
    );
    return point;
  }

  async #closeRound(group: GroupId): Promise<RecoveryPoint | undefined> {
    const round = await this.#cutRound(group);
    if (round === undefined) return undefined;
    for (
      let tries = 0;
      tries < 30 && this.site.up && !this.site.call((state) => cutsReached(state, round.cuts));
      tries += 1
    )
      await this.time.sleep(10);
    return this.site.call((state) =>
      attempts.closeGroupPoint(state, { group, kind: 'periodic', ...round }, this.time.momentOf(SITE)),
    );
  }

  // ---- the ports the real steps work over ----

  ports(): Ports {
    return {
      appliances: new Map(
        [...this.appliances.keys()].map((id): [ApplianceId, AppliancePort] => [
          id,
          { id, url: urlOf(id), calls: this.#traced(id, this.#applianceCalls(id)) },
        ]),
      ),
      splitters: new Map(
        [...this.splitters.values()].map((host): [SplitterId, SplitterPort] => [
          host.id,
          { id: host.id, calls: this.#traced(host.id, this.#splitterCalls(host)) },
        ]),
      ),
    };
  }

  /** Calls that tell the trace what was asked and answered. Nobody reads along: the same calls. */
  #traced<C extends ApplianceCalls | SplitterCalls>(to: string, calls: C): C {
    return this.trace === undefined ? calls : tracedCalls(to, calls, this.trace);
  }

  #splitterCalls(host: SplitterHost): SplitterCalls {
    const over = <T>(what: string, run: (nowMs: number) => T): Promise<T> =>
      this.#network(`${what} at ${host.id}`, () => run(this.time.nowMs));
    const parse = <K extends keyof typeof splitterApi>(key: K, input: InputOf<(typeof splitterApi)[K]>) =>
      splitterApi[key].input.parse(input) as ReturnType<(typeof splitterApi)[K]['input']['parse']>;
    const unused = (): Promise<never> => Promise.reject(new Error('the steps do not call this'));
    return {
      health: unused,
      audit: unused,
      cut: unused,
      confirmCut: unused,
      openScan: unused,
      readScan: unused,
      closeScan: unused,
      resync: unused,
      decideSource: unused,
      inventory: (input) => over('inventory', () => host.call((core) => core.inventory(parse('inventory', input)))),
      notify: (input) => over('notify', () => host.call((core) => core.notify(parse('notify', input)))),
      fence: (input) =>
        over('fence', () => host.call((core) => core.fence(parse('fence', input), this.time.momentOf(host.id)))),
      confirm: (input) => over('confirm', (nowMs) => host.call((core) => core.confirm(parse('confirm', input), nowMs))),
      renew: (input) => over('renew', (nowMs) => host.call((core) => core.renew(parse('renew', input), nowMs))),
      learn: (input) =>
        over('learn', (nowMs) => {
          return host.call((core) => core.learn(parse('learn', input), nowMs));
        }),
    };
  }

  #applianceCalls(id: ApplianceId): ApplianceCalls {
    const { site } = this;
    const over = <T>(what: string, run: (nowMs: number) => T): Promise<T> =>
      this.#over(id, what, () => run(this.time.nowMs));
    const parse = <K extends keyof typeof applianceApi>(key: K, input: InputOf<(typeof applianceApi)[K]>) =>
      applianceApi[key].input.parse(input) as ReturnType<(typeof applianceApi)[K]['input']['parse']>;
    const unused = (): Promise<never> => Promise.reject(new Error('the steps do not call this'));
    const groupRow = (group: GroupId) => {
      const row = site.state.group(group);
      return {
        group,
        appliance: row.appliance,
        volumesMax: row.volumesMax,
        pointEveryMs: row.pointEveryMs,
        retention: row.retention,
        journal: row.journal,
        volumes: site.state.membersOf(group).length,
        reserved: attempts.reservedIn(site.state, group, this.time.nowMs),
      };
    };
    const find = (point: PointId | undefined): RecoveryPoint =>
      site.call((state) => state.point(point ?? pointIdOf(0)).point);
    const calls: ApplianceCalls = {
      health: unused,
      audit: unused,
      siteAudit: unused,
      describe: () =>
        over('describe', () => ({
          appliance: id,
          link: { cut: false },
          pausedGroups: [],
          nbd: { host: '127.0.0.1', port: 0 },
        })),
      groups: unused,
      closePoint: unused,
      markPoint: unused,
      pauseGroup: unused,
      resumeGroup: unused,
      setLink: unused,
      openMarkImage: unused,
      digestImage: unused,
      closeMarkImage: unused,
      rebuild: unused,
      setRounds: unused,
      openAccess: unused,
      listAccesses: unused,
      closeAccess: unused,
      inventory: (input) =>
        over('inventory', () => {
          const { items, ...rest } = pageOfVolumes(site.state, parse('inventory', input));
          return { volumes: items.map((row) => inventoryVolume(site.state, row)), ...rest };
        }),
      storeReport: (input) =>
        over('storeReport', () => {
          this.reports.put(parse('storeReport', input));
          return {};
        }),
      report: (input) => over('report', () => this.reports.get(parse('report', input).move)),
      reports: (input) => over('reports', () => this.reports.page(parse('reports', input))),
      storeBatchPlan: (input) =>
        over('storeBatchPlan', () => {
          this.batches.storePage(parse('storeBatchPlan', input));
          return {};
        }),
      finishBatchPlan: (input) => over('finishBatchPlan', () => this.batches.finish(parse('finishBatchPlan', input))),
      batchPlan: (input) => over('batchPlan', () => this.batches.page(parse('batchPlan', input))),
      storeBatchReport: (input) =>
        over('storeBatchReport', () => {
          this.batches.storeReport(parse('storeBatchReport', input));
          return {};
        }),
      batchReport: (input) => over('batchReport', () => this.batches.report(parse('batchReport', input).batch)),
      siteGroups: (input) =>
        over('siteGroups', () => {
          const { group: only } = parse('siteGroups', input);
          const found = this.groups.filter(({ group }) => only === undefined || group === only);
          if (found.length === 0) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${only}".`);
          return { groups: found.map(({ group }) => groupRow(group)) };
        }),
      siteVolumes: (input) =>
        over('siteVolumes', () => {
          const { volume } = parse('siteVolumes', input);
          return { volumes: volume === undefined ? [] : [this.#describe(volume)] };
        }),
      lag: (input) =>
        over('lag', () => ({
          volume: parse('lag', input).volume,
          bufferedBytes: 0,
          undistributedBytes: site.undistributedBytes(parse('lag', input).volume),
        })),
      open: (input) =>
        over('open', () =>
          site.call((state) => attempts.openAttempt(state, parse('open', input), this.time.momentOf(SITE))),
        ),
      renew: (input) =>
        over('renew', (nowMs) =>
          site.call((state) => attempts.renewAttempt(state, parse('renew', input).attempt, input.leaseMs, nowMs)),
        ),
      drain: (input) =>
        over('drain', () =>
          site.call((state) =>
            attempts.drainProgress(state, parse('drain', input).attempt, parse('drain', input).cuts),
          ),
        ),
      seal: (input) =>
        over('seal', (nowMs) => {
          const { attempt, cuts, others, atMs } = parse('seal', input);
          return site.call((state) => {
            attempts.renewIfOpen(state, attempt, input.leaseMs, nowMs);
            return attempts.sealAttempt(state, attempt, cuts, others, atMs, { now: this.time.momentOf(SITE) });
          });
        }),
      bookmark: (input) =>
        over('bookmark', () =>
          site.call((state) =>
            attempts.bookmarkAttempt(state, parse('bookmark', input).attempt, parse('bookmark', input)),
          ),
        ),
      adopt: (input) =>
        over('adopt', (nowMs) => {
          const { attempt, leaseMs } = parse('adopt', input);
          return site.call((state) => {
            attempts.renewIfOpen(state, attempt, leaseMs, nowMs);
            return attempts.adoptAttempt(state, attempt, this.time.momentOf(SITE));
          });
        }),
      resolve: (input) =>
        over('resolve', (nowMs) =>
          site.call((state) =>
            attempts.resolveAttempt(state, parse('resolve', input).attempt, input.reason ?? 'resolved', nowMs),
          ),
        ),
      get: (input) => over('get', () => site.call((state) => attempts.getAttempt(state, parse('get', input)))),
      join: async (input) => {
        const { attempt } = parse('join', input);
        const record = await over('join', () => site.call((state) => attempts.getAttempt(state, attempt)));
        if (record.joined !== undefined) return record;
        if (record.contents === undefined)
          return await over('join', () => site.call((state) => attempts.joinAttempt(state, attempt, pointIdOf(0))));
        const point = await this.#point(record.contents.to);
        return await over('join', () =>
          site.call((state) =>
            point === undefined ? attempts.getAttempt(state, attempt) : attempts.joinAttempt(state, attempt, point.id),
          ),
        );
      },
      findPoint: (input) => over('findPoint', () => find(parse('findPoint', input).point)),
      listPoints: (input) =>
        over('listPoints', () => {
          const { volume, group } = parse('listPoints', input);
          return {
            points: pointsOf(site.state, { volume, group }),
            holes: [...site.state.holes.values()].map((row) => row.hole).filter((hole) => hole.volume === volume),
            owners: volume === undefined ? [] : site.state.ownersOf(volume),
          };
        }),
    };
    return calls;
  }

  #describe(volume: VolumeId): OutputOf<typeof applianceApi.siteVolumes>['volumes'][number] {
    const row = this.site.state.volume(volume);
    const openAttempt = attempts.attemptInTheWay(this.site.state, row, this.time.nowMs);
    return {
      volume,
      splitter: row.splitter,
      sizeBytes: row.sizeBytes,
      group: row.group,
      appliance: this.site.state.group(row.group).appliance,
      epoch: row.epoch,
      durable: this.site.durable(volume),
      appliedPosition: this.site.appliedPosition(volume),
      undistributedBytes: this.site.undistributedBytes(volume),
      initializing: row.openHole !== undefined,
      ...(openAttempt === undefined ? {} : { openAttempt }),
    };
  }
}

function urlOf(appliance: ApplianceId): string {
  return `http://${appliance}.test`;
}
