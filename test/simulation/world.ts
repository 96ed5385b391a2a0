// A simulated estate: hosts, appliances, the replica site, and a network that delays, drops,
// duplicates and reorders.
import {
  attemptName,
  type AttemptRef,
  attemptRecordSchema,
  type AttemptRecord,
  type WriteMark,
} from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import type { ApplianceId, GroupId, PointId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { retentionPolicySchema, type RetentionPolicy } from '../../contracts/retention.js';
import type { Calls, InputOf, OutputOf } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import type { AppliancePort, Ports, SplitterPort } from '../../control/ports.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { holderOf, pageOfOpenAttempts, wayBackOf } from '../../simulator/replica-site/core/listings.js';
import { cutsReached, findPoint, pointsOf } from '../../simulator/replica-site/core/points.js';
import { pointIdOf, type VolumeRow } from '../../simulator/replica-site/core/rows.js';
import { inventoryVolume, pageOfVolumes } from '../../simulator/replica-site/core/volume-listing.js';
import type { SiteState } from '../../simulator/replica-site/core/state.js';
import type { PendingVerdict } from '../../simulator/splitter/core/splitter-core.js';
import type { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { refuseMovedAgain } from '../../simulator/appliance/core/moved-again.js';
import { groupCut, holdMsFor, type GroupCut } from '../../simulator/appliance/core/point-round.js';
import { BatchPlans } from '../../simulator/replica-site/reports/batch-plans.js';
import { MoveReports } from '../../simulator/replica-site/reports/move-reports.js';
import { SOURCE } from '../support/identities.js';
import { Identities } from './identities.js';
import { Aims } from './aims.js';
import { ApplianceHost } from './appliance-host.js';
import { memoryTexts } from './memory-texts.js';
import { ParsedInputs } from './parsed-inputs.js';
import { RetentionHost } from './retention-host.js';
import { tracedCalls } from './traced-calls.js';
import { BLOCK_BYTES, SiteHost, type Frame, type SiteFolder } from './site-host.js';
import { SplitterHost, tokensOf, type SplitterFolder, type WriteRequest } from './splitter-host.js';
import { Tokens } from './tokens.js';
import { Chance, VirtualTime, type VirtualMoment } from './virtual-time.js';
import { type Commit, serve, Witness } from './witness.js';

const REGIONS = 6;
const STALL_MS_MAX = 1_000;
/** Id of the replica site's process, for its clock. */
const SITE = 'replica-site';
/** Jumps of clocks, in ms: a time service's step, a wrong time zone, a wrong month. */
const CLOCK_JUMPS_MS_MAX = [500, 10_000, 2 * 3_600_000, 31 * 86_400_000] as const;
const FULL_MS_MAX = 1_500;
const SLOW_MS_MAX = 3_000;
const PAUSED_MS_MAX = 1_500;
/** Origins of monotonic clocks, in ms: each life of a process counts from another one. */
const ORIGIN_MS_MAX = 1_000_000;
/** Interval of rounds of retention, in ms. */
const RETENTION_EVERY_MS = 300;
/**
 * Interval of looks for old notices, in ms: about a lease, so that some are asked about while their
 * move still works.
 */
const NOTICE_LOOK_EVERY_MS = 1_000;
/** Interval at which senders and distribution look for work that they do not find, in ms. */
const IDLE_MS = 16;
/** Longest time of a write, in ms: then the guest tries it again. */
const WRITE_LIMIT_MS = 5_000;
/** Interval of the guest's reads of a whole disk, in ms. */
const READ_EVERY_MS = 10;
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
  /** Chance that a control call takes up to three seconds: longer than a hold and a lease. */
  readonly slow: number;
  /** Longest time until a record that arrived is durable, in ms. A crash before loses it. */
  readonly syncMsMax: number;
  /** Share of a guest's writes that are zeroes, and that fail at the source at first. */
  readonly zeroes: number;
  readonly failedWrite: number;
  /** Chance per look that a person pauses a group for a while. */
  readonly pause: number;
  /** Chance per look that a hasty mover makes a call of an open attempt too early. */
  readonly hasty: number;
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
  slow: 0,
  syncMsMax: 0,
  zeroes: 0,
  failedWrite: 0,
  pause: 0,
  hasty: 0,
  compareEnds: true,
  proveSources: true,
  confirmCuts: true,
};

type ApplianceCalls = Calls<typeof applianceApi>;
type SplitterCalls = Calls<typeof splitterApi>;

/** The input of a call that concerns an attempt. */
interface OfAttempt {
  readonly attempt: { readonly move: string };
}

interface Stream {
  readonly appliance: ApplianceId;
  live: boolean;
  readonly attached: Set<VolumeId>;
  /** Arrival of the last frame sent, in ms. */
  lastArrivalMs: number;
}

export interface GuestWrite {
  readonly volume: VolumeId;
  readonly block: number;
  readonly count: number;
  readonly issuedAtMs: number;
  acknowledgedAtMs?: number;
}

export interface WorldShape {
  readonly splitters: number;
  readonly volumesPerSplitter: number;
  /** Most volumes of a group; unlimited if absent. */
  readonly roomOf?: (group: GroupId) => number;
  /** Policy of every group. Retention runs if it is there. */
  readonly retention?: Partial<RetentionPolicy>;
  /** How much faster than time ages grow, so that a run of seconds has hours and days. */
  readonly agesFaster?: number;
  /**
   * Whether the guest waits while a volume's queue is half full. In real time a busy machine may
   * not empty it, which is no fault that a test asked for.
   */
  readonly guestIsPatient?: boolean;
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
  readonly appliances: ReadonlyMap<ApplianceId, ApplianceHost>;
  /** Sees each control call as it is answered. */
  readonly witness = new Witness();
  readonly inputs = new ParsedInputs();
  /** Faults that wait for a call. */
  readonly aims = new Aims();
  readonly retention: RetentionHost | undefined;
  readonly #agesFaster: number;
  /** When the round of each point began. */
  readonly roundsBegan = new Map<PointId, number>();
  readonly groups: readonly { readonly group: GroupId; readonly appliance: ApplianceId }[];
  readonly volumes: readonly VolumeId[];
  /** The guest's writes in the order of issue. A write's token is its place here, from 1. */
  readonly history: GuestWrite[] = [];
  readonly #tokens = new Tokens();
  readonly #statesAfter = new Map<VolumeId, { readonly token: number; readonly content: Uint32Array }>();
  acknowledged = 0;
  worstLatencyMs = 0;
  guestRuns = true;
  readonly #guestIsPatient: boolean;
  pointsSkipped = 0;
  stopped = false;
  /** Count of the faults that befell this run, by kind. */
  readonly befell = new Map<string, number>();
  /** Count of how often a guard, refusal or rare branch was reached, by name. */
  readonly reached: ReadonlyMap<string, number> = this.witness.reached.counts;
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
    this.groups = [
      { group: 'g1' as GroupId, appliance: a1 },
      { group: 'g2' as GroupId, appliance: a2 },
      { group: 'g3' as GroupId, appliance: a1 },
    ];
    this.appliances = new Map(
      [a1, a2].map((id) => [
        id,
        new ApplianceHost(
          this.groups.filter(({ appliance }) => appliance === id).map(({ group }) => group),
          this.time.nowMs,
        ),
      ]),
    );
    this.#agesFaster = shape.agesFaster ?? 1;
    this.#guestIsPatient = shape.guestIsPatient ?? false;
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
        volumesMax: shape.roomOf?.(group) ?? 64,
        pointEveryMs: 200,
        lastPointAtMs: 0,
        retention: retentionPolicySchema.parse(shape.retention ?? {}),
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
      const host = new SplitterHost(id, this.time, rows, identities, (mark) => this.reaches(mark));
      host.provesSources = faults.proveSources;
      host.replicaAt = (volume, mark) => this.#replicaAt(volume, mark);
      this.splitters.set(id, host);
      this.#splitterCopies.set(id, [host.snapshot()]);
    }
    this.#siteCopies.push(this.site.snapshot());
    if (shape.retention !== undefined) this.retention = new RetentionHost(this);
  }

  #replicaAt(volume: VolumeId, mark: WriteMark): Readonly<Uint32Array> | undefined {
    const { site } = this;
    const position = site.up ? site.state.positionOf(site.state.volume(volume), mark) : undefined;
    return position === undefined || position > site.durable(volume).position
      ? undefined
      : site.contentAt(volume, position, BLOCKS);
  }

  /** Counts a guard, refusal or rare branch. */
  reaches(mark: string): void {
    this.witness.reached.hit(mark);
  }

  /** Whether the replica site, or a splitter, ever came back older. */
  get hasSiteForgotten(): boolean {
    return this.sitesPutBack > 0;
  }

  get hasSplitterForgotten(): boolean {
    return this.splittersPutBack + this.splittersLost > 0;
  }

  /** The site's clocks. */
  get siteMoment(): VirtualMoment {
    const moment = this.time.momentOf(SITE);
    return { ...moment, ageMs: moment.ageMs * this.#agesFaster };
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
    /** A loop that finds nothing to do looks half as often each time, at last every `idleMs`. */
    const poll = (busyMs: number, idleMs: number, run: () => boolean): void => {
      let everyMs = busyMs;
      const again = (): void => {
        if (this.stopped) return;
        everyMs = run() ? busyMs : Math.min(everyMs * 2, idleMs);
        this.time.quietly(this.chance.between(everyMs / 2, everyMs * 1.5), again);
      };
      this.time.quietly(this.chance.between(0, busyMs), again);
    };
    const every = (ms: number, run: () => void): void =>
      poll(ms, ms, () => {
        run();
        return true;
      });
    for (const host of this.splitters.values()) {
      poll(4, IDLE_MS, () => this.#pump(host));
      every(30, () => this.#tick(host));
      every(NOTICE_LOOK_EVERY_MS, () => this.#askAboutNotices(host));
      every(40, () => {
        for (const volume of host.disks.keys()) host.sweep(volume);
      });
    }
    poll(5, IDLE_MS, () => this.site.distribute(1 + this.chance.below(8)));
    for (const appliance of this.appliances.values())
      every(20, () => {
        this.#askAboutMembers(appliance);
        for (const group of appliance.up ? appliance.schedule.take(this.time.nowMs) : [])
          this.#periodicPoint(appliance, group);
      });
    const { retention } = this;
    if (retention !== undefined) {
      every(RETENTION_EVERY_MS, () => {
        void retention.round();
        this.time.stir();
      });
      every(RETENTION_EVERY_MS, () => retention.person());
    }
    every(50, () => this.#mischief());
    every(100, () => {
      for (const volume of this.volumes) this.#recover(volume);
    });
    this.#guest();
    every(READ_EVERY_MS, () => this.#read());
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
   * Reads a disk as the guest, which must get its last acknowledged write of each block, the one
   * under way, or an error.
   */
  #read(): void {
    const volume = this.chance.pick(this.volumes);
    const disk = this.hostOf(volume).readable(volume);
    if (disk === undefined) return;
    this.reads += 1;
    const known = this.#knownOf(volume);
    const write = this.#underWay;
    for (let block = 0; block < BLOCKS; block += 1) {
      const found = disk[block];
      const expected = known[block];
      if (found === expected) continue;
      const isUnderWay =
        write?.volume === volume && block >= write.block && block < write.block + write.count && found === write.token;
      if (!isUnderWay)
        this.misread ??= `the guest read ${found} from block ${block} of ${volume} instead of its write ${expected}`;
    }
  }

  // ---- the guest ----

  /** Issues a write once the one before is acknowledged: so points hold prefixes of the writes. */
  #guest(): void {
    this.time.quietly(this.chance.between(0, 6), () => {
      if (this.stopped) return;
      if (this.guestRuns && !this.#guestWaits()) this.#write();
      else this.#guest();
    });
  }

  #guestWaits(): boolean {
    if (!this.#guestIsPatient) return false;
    return this.volumes.some((volume) => this.hostOf(volume).core?.volume(volume).hasRoomForResend === false);
  }

  #write(): void {
    const volume = this.chance.pick(this.volumes);
    const count = 1 + this.chance.below(3);
    const block = this.chance.below(BLOCKS - count);
    const write: GuestWrite = { volume, block, count, issuedAtMs: this.time.nowMs };
    this.history.push(write);
    const token = this.history.length;
    const zeroes = this.faults.zeroes > 0 && this.chance.hit(this.faults.zeroes);
    this.#underWay = { volume, block, count, token };
    this.#tryWrite(write, { volume, block, tokens: this.#tokens.take(count, token), zeroes });
  }

  /** Tries a write until it is acknowledged. */
  #tryWrite(write: GuestWrite, request: WriteRequest, wasInterrupted = false): void {
    const fails = this.faults.failedWrite > 0 && this.chance.hit(this.faults.failedWrite);
    let isOver = false;
    const over = (isAcknowledged: boolean): void => {
      if (isOver) return;
      isOver = true;
      this.time.cancel(limit);
      if (isAcknowledged) this.#acknowledge(write, wasInterrupted);
      else this.time.quietly(5, () => this.#tryWrite(write, request, true));
    };
    // A write that a crash cut off is never acknowledged.
    const limit = this.time.quietly(WRITE_LIMIT_MS, () => over(false));
    const pause = (then: () => void): void => void this.time.quietly(this.chance.between(0, 2), then);
    this.hostOf(write.volume).write(request, fails, pause, over);
  }

  #acknowledge(write: GuestWrite, wasInterrupted: boolean): void {
    const { volume, block, count, issuedAtMs } = write;
    const { nowMs } = this.time;
    write.acknowledgedAtMs = nowMs;
    this.acknowledged = this.history.length;
    this.#knownOf(volume).fill(this.acknowledged, block, block + count);
    this.#underWay = undefined;
    if (!wasInterrupted) this.worstLatencyMs = Math.max(this.worstLatencyMs, nowMs - issuedAtMs);
    if (!this.stopped) this.#guest();
  }

  /**
   * What a point's members must hold if this token's write is the newest in it. Continues from the
   * last answer where possible, and takes it over: an answer holds until the volume's next one.
   */
  stateAfter(token: number, volume: VolumeId): Readonly<Uint32Array> {
    const cached = this.#statesAfter.get(volume);
    const known =
      cached !== undefined && cached.token <= token ? cached : { token: 0, content: new Uint32Array(BLOCKS) };
    for (let i = known.token; i < token; i += 1) {
      const write = this.history[i];
      if (write?.volume === volume) known.content.fill(i + 1, write.block, write.block + write.count);
    }
    this.#statesAfter.set(volume, { token, content: known.content });
    return known.content;
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

  #applianceOf(id: ApplianceId): ApplianceHost {
    const host = this.appliances.get(id);
    if (host === undefined) throw new Error(`there is no appliance ${id}`);
    return host;
  }

  #pathUp(appliance: ApplianceId): boolean {
    return this.site.up && this.#applianceOf(appliance).up;
  }

  /** Sends what is to be sent. @returns whether there was anything to do */
  #pump(host: SplitterHost): boolean {
    const { core } = host;
    let isBusy = false;
    for (const split of core?.volumes ?? []) {
      const { route } = split.row;
      if (!this.#pathUp(route.appliance)) {
        if (split.connected) split.detached();
        continue;
      }
      const stream = this.#streamOf(host, route.appliance);
      if (!split.connected || !stream.attached.has(split.volume)) {
        isBusy = true;
        split.detached();
        const claim = { ...split.claim(), life: host.life, sizeBytes: split.row.sizeBytes };
        if (!this.#attach(host, split.volume, claim)) continue;
        stream.attached.add(split.volume);
        // The appliance says again if the group is paused.
        const owner = this.#applianceOf(route.appliance);
        if (owner.paused.has(route.group)) split.pause(this.time.wallMsOf(host.id));
        else split.resume();
        if ((owner.members.ownerOf(split.volume)?.epoch ?? 0) < route.epoch) owner.wanted.add(split.volume);
      }
      if (host.resendOne(split.volume)) isBusy = true;
      for (let i = 0; i < 4; i += 1) {
        const copy = split.peek();
        if (copy === undefined) break;
        isBusy = true;
        split.advance();
        const { session } = split;
        const tokens =
          copy.kind === 'write'
            ? tokensOf(split.dataOf(copy))
            : copy.kind === 'zeroes'
              ? host.zeroesOf(split.volume, copy.n)
              : undefined;
        this.#send(host, stream, split.volume, { session, n: copy.n, epoch: route.epoch, copy, tokens });
      }
    }
    return isBusy;
  }

  /** @returns whether the volume is attached. A full disk at either end postpones it. */
  #attach(host: SplitterHost, volume: VolumeId, claim: Claim): boolean {
    try {
      const answer = this.site.attach(volume, claim, this.siteMoment, this.faults.compareEnds);
      if (answer.kind === 'refuse') this.reaches(`attach refused: ${answer.code}`);
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
    const isStalled = this.chance.hit(this.faults.stall);
    if (isStalled) this.befalls('stall', `${host.id} to ${stream.appliance}`);
    const delayMs = this.chance.between(0, isStalled ? STALL_MS_MAX : this.faults.delayMsMax);
    stream.lastArrivalMs = this.time.inLine(stream.lastArrivalMs, delayMs, () => {
      if (!this.#pathUp(stream.appliance)) {
        stream.live = false;
        return;
      }
      const answer = this.site.receive(volume, frame);
      if (answer.kind === 'refused') this.reaches(`record refused: ${answer.code}`);
      const { syncMsMax } = this.faults;
      const tell = (): void => {
        const durable = this.site.up ? this.site.sync(volume) : undefined;
        this.time.quietly(this.chance.between(0, this.faults.delayMsMax), () => {
          if (host.core !== core || core === undefined) return;
          const split = core.volume(volume);
          if (answer.kind === 'refused') {
            if (stream.live) stream.attached.delete(volume);
          } else if (durable?.session === split.session && stream.live) {
            split.receipt(durable.n);
          }
        });
      };
      if (syncMsMax === 0) tell();
      else this.time.quietly(this.chance.between(0, syncMsMax), tell);
    });
  }

  #tick(host: SplitterHost): void {
    if (host.core === undefined) return;
    for (const pending of this.#tickOf(host)) this.#askForVerdict(host, pending, 'a splitter asked');
  }

  /** A store without room is asked again at the next tick. */
  #tickOf(host: SplitterHost): PendingVerdict[] {
    try {
      return host.call((core) => core.tick(this.time.monotonicMsOf(host.id)));
    } catch (error) {
      if (error instanceof MoverError && error.code === 'STORAGE_FULL') return [];
      throw error;
    }
  }

  #askAboutNotices(host: SplitterHost): void {
    for (const pending of host.core?.announced() ?? [])
      this.#askForVerdict(host, pending, 'a splitter asked about a notice');
  }

  /** Asks for an attempt's verdict over either appliance. The splitter learns it while it lives. */
  #askForVerdict(
    host: SplitterHost,
    pending: PendingVerdict,
    mark: 'a splitter asked' | 'a splitter asked about a notice',
  ): void {
    const { core } = host;
    const appliance = this.chance.pick([...this.appliances.keys()]);
    const question = questionOf(pending, mark === 'a splitter asked about a notice');
    void this.#over(appliance, 'resolve', () =>
      this.site.call((state) => attempts.answerVerdict(state, question, this.siteMoment)),
    )
      .then(
        (record) => {
          if (host.core !== core || record.state === 'OPEN') return undefined;
          const { state } = record;
          host.call((now) => now.learnPending(pending, state, this.time.wallMsOf(host.id)));
          this.reaches(`${mark}: ${state}`);
          return undefined;
        },
        this.#whyNoVerdict(host, pending),
      )
      .catch(() => undefined);
  }

  /** Takes a refused question: the site may have forgotten the attempt. */
  #whyNoVerdict(host: SplitterHost, pending: PendingVerdict): (error: unknown) => undefined {
    const { core } = host;
    return (error) => {
      if (!(error instanceof MoverError) || error.code !== 'STALE_ATTEMPT' || host.core !== core) return undefined;
      host.call((now) => now.learnPending(pending, 'FORGOTTEN', this.time.wallMsOf(host.id)));
      this.reaches('a splitter asked: FORGOTTEN');
      if (!this.hasSiteForgotten && !this.hasSplitterForgotten)
        this.witness.break(`${host.id} still waited for ${attemptName(pending.attempt)}, which the site has forgotten`);
      return undefined;
    };
  }

  /** The record of an attempt, as it was when the site forgot it. */
  recordOf(attempt: AttemptRef): AttemptRecord | undefined {
    return this.site.state.attempt(attempt) ?? this.retention?.forgottenAttempts.get(attemptName(attempt));
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
    if (this.chance.hit(this.faults.crash)) this.#crashSomething();
    if (this.faults.pause > 0 && this.chance.hit(this.faults.pause)) this.#pauseSomeGroup();
    if (this.faults.hasty > 0 && this.chance.hit(this.faults.hasty)) this.#beHasty();
    if (this.faults.clockJump > 0 && this.chance.hit(this.faults.clockJump)) this.#setSomeClock();
  }

  #setSomeClock(): void {
    const process = this.chance.pick([...this.splitters.keys(), SITE]);
    const rangeMs = this.chance.pick(CLOCK_JUMPS_MS_MAX);
    this.time.wallShiftsMs.set(process, Math.floor(this.chance.between(-Math.min(rangeMs, this.time.nowMs), rangeMs)));
    this.befalls('clock set', process);
  }

  #crashSomething(): void {
    const downMs = this.chance.between(5, 600);
    const which = this.chance.below(3);
    if (which === 0) this.#crashSplitter(this.chance.pick([...this.splitters.values()]), downMs);
    else if (which === 1) this.#crashAppliance(this.chance.pick([...this.appliances.keys()]), downMs);
    else this.#crashSite(downMs);
  }

  /** Crashes a splitter or the replica site by its id, for a while. */
  crash(process: string): void {
    const downMs = this.chance.between(5, 600);
    const host = [...this.splitters.values()].find(({ id }) => id === process);
    if (host !== undefined) this.#crashSplitter(host, downMs);
    else if (process === SITE) this.#crashSite(downMs);
  }

  /** Takes the replica site down for a while. */
  outage(downMs: number): void {
    this.#crashSite(downMs);
  }

  #crashSplitter(host: SplitterHost, downMs: number): void {
    if (host.core === undefined) return;
    for (const [key, stream] of this.#streams) if (key.startsWith(`${host.id}>`)) stream.live = false;
    host.crash();
    this.befalls('splitter crash', host.id);
    this.time.after(downMs, () => {
      if (this.chance.hit(this.faults.splitterPutBack * PUT_BACK_PER_COPY)) {
        host.putBack(this.chance.pick(this.#splitterCopies.get(host.id) ?? []));
        this.splittersPutBack += 1;
        this.befalls('splitter put back', host.id);
        this.witness.splitterForgot(host.id, host.disks.keys());
        for (const volume of host.disks.keys()) this.#told(volume);
      }
      if (this.chance.hit(this.faults.splitterLost)) {
        host.lose();
        this.splittersLost += 1;
        this.befalls('splitter lost', host.id);
        this.witness.splitterForgot(host.id, host.disks.keys());
        if (this.chance.hit(0.5)) this.#crashSite(this.chance.between(5, 600));
      }
      this.time.startClock(host.id, this.#newOrigin());
      host.start();
    });
  }

  #newOrigin(): number {
    return Math.floor(this.chance.between(0, ORIGIN_MS_MAX));
  }

  #crashAppliance(id: ApplianceId, downMs: number): void {
    const appliance = this.#applianceOf(id);
    if (!appliance.up) return;
    appliance.crash();
    this.befalls('appliance crash', id);
    for (const stream of this.#streams.values()) stream.live = false;
    for (const host of this.splitters.values()) for (const split of host.core?.volumes ?? []) split.detached();
    this.time.after(downMs, () => appliance.restart(this.time.nowMs));
  }

  #crashSite(downMs: number): void {
    if (!this.site.up) return;
    this.site.crash();
    this.retention?.crash();
    this.befalls('site crash', SITE);
    for (const stream of this.#streams.values()) stream.live = false;
    for (const host of this.splitters.values()) for (const split of host.core?.volumes ?? []) split.detached();
    this.time.after(downMs, () => {
      if (this.chance.hit(this.faults.sitePutBack * PUT_BACK_PER_COPY)) {
        this.site.putBack(this.chance.pick(this.#siteCopies));
        this.sitesPutBack += 1;
        this.witness.siteForgot();
        this.befalls('site put back', SITE);
      }
      this.time.startClock(SITE, this.#newOrigin());
      const { mended } = this.site;
      this.site.restart(this.time.monotonicMsOf(SITE));
      if (this.site.mended > mended) this.reaches('holes that were mended');
    });
  }

  /** A person pauses a group, and resumes it after a while. */
  #pauseSomeGroup(): void {
    const { group, appliance: id } = this.chance.pick(this.groups);
    const appliance = this.#applianceOf(id);
    if (!appliance.up || appliance.paused.has(group)) return;
    const tell = (change: (split: VolumeSplit, wallMs: number) => void): void => {
      for (const host of this.splitters.values())
        for (const split of host.core?.volumes ?? [])
          if (this.#isAttached(id, split.volume) && split.row.route.group === group)
            change(split, this.time.wallMsOf(host.id));
    };
    appliance.paused.add(group);
    this.befalls('group paused', group);
    tell((split, wallMs) => split.pause(wallMs));
    this.time.after(this.chance.between(5, PAUSED_MS_MAX), () => {
      appliance.paused.delete(group);
      tell((split) => split.resume());
    });
  }

  /** Makes a call of some open attempt before its time, as a mover would that skipped a step. */
  #beHasty(): void {
    const open = [...this.site.state.attempts.values()]
      .map(({ record }) => record)
      .filter(({ state }) => state === 'OPEN');
    if (open.length === 0 || !this.site.up) return;
    const { attempt, contents } = this.chance.pick(open);
    const bound = contents?.volumes ?? [];
    const fences = bound.map(({ volume }) => ({ volume, fence: this.hostOf(volume).core?.volume(volume).row.fence }));
    const cuts = fences.flatMap(({ volume, fence }) =>
      fence?.attempt.move === attempt.move ? [{ volume, ...fence.cut }] : [],
    );
    const atMs = Math.max(0, ...fences.map(({ fence }) => fence?.atMs ?? 0));
    const calls: Record<string, (state: SiteState) => unknown> = {
      seal: (state) => attempts.sealAttempt(state, attempt, cuts, [], atMs, { now: this.siteMoment }),
      bookmark: (state) => attempts.bookmarkAttempt(state, attempt),
      adopt: (state) => attempts.adoptAttempt(state, attempt, this.siteMoment),
      join: (state) => attempts.joinAttempt(state, attempt, pointIdOf(1)),
    };
    const call = this.chance.pick(Object.keys(calls));
    const make = calls[call];
    // The site can't know whether a cut over several splitters was confirmed: a seal is left out
    // unless all of them still hold, or the cut would be of several instants.
    const isHeld = bound.every(({ volume }) => this.hostOf(volume).core?.holds.isHeld(volume) === true);
    const isOneInstant = isHeld || new Set(bound.map(({ splitter }) => splitter)).size === 1;
    const mayBeAsked = call !== 'seal' || (cuts.length === bound.length && isOneInstant);
    if (make === undefined || !mayBeAsked) return;
    this.befalls('hasty call', call);
    const record = attemptRecordSchema.safeParse(this.#hastily(call, attempt, make));
    if (record.success) this.#sawRecord(record.data);
  }

  #hastily(call: string, input: unknown, make: (state: SiteState) => unknown): unknown {
    try {
      return serve(this.witness, { process: SITE, call: `hasty ${call}`, input }, () => this.site.call(make));
    } catch (error) {
      if (error instanceof MoverError) return undefined;
      throw error;
    }
  }

  // ---- control calls over the network ----

  #delayMs(): number {
    const { slow, delayMsMax } = this.faults;
    return this.chance.between(0, slow > 0 && this.chance.hit(slow) ? SLOW_MS_MAX : delayMsMax);
  }

  /**
   * Calls over the network: request or answer may be lost, and a copy of the request may arrive
   * much later.
   */
  async #network<T>(call: string, process: string, run: () => T, move?: string): Promise<T> {
    const what = (): string => `${call} at ${process}`;
    const lost = (message: string): MoverError => {
      this.befalls(`lost ${message}`, what());
      return new MoverError('UNREACHABLE', `${what()}: no answer`);
    };
    const again = (): void => {
      this.befalls('late duplicate', what());
      try {
        run();
      } catch {
        // A late duplicate's answer is dropped.
      }
    };
    const later = (): void => {
      this.time.after(this.chance.between(0, 4_000), again);
    };
    await this.time.sleep(this.#delayMs());
    if (this.chance.hit(this.faults.loss)) {
      // Nobody waits for it any more, and it arrives all the same.
      if (this.chance.hit(0.5)) later();
      throw lost('request');
    }
    if (this.chance.hit(this.faults.duplicate)) later();
    for (const aim of this.aims.take(call, 'before', move)) await aim.act({ process, again });
    const answer = run();
    for (const aim of this.aims.take(call, 'after', move)) await aim.act({ process, again });
    await this.time.sleep(this.#delayMs());
    if (this.chance.hit(this.faults.loss)) throw lost('answer');
    return answer;
  }

  #over<T>(appliance: ApplianceId, call: string, run: () => T, move?: string): Promise<T> {
    const reach = (): T => {
      if (!this.#applianceOf(appliance).up) throw new MoverError('UNREACHABLE', `appliance ${appliance} is down`);
      if (!this.site.up) throw new MoverError('LINK_DOWN', 'the replica site is down');
      return run();
    };
    return this.#network(call, SITE, reach, move);
  }

  // ---- recovery points, as the appliances close them ----

  #isAttached(appliance: ApplianceId, volume: VolumeId): boolean {
    const stream = this.#streams.get(`${this.hostOf(volume).id}>${appliance}`);
    return stream?.live === true && stream.attached.has(volume);
  }

  /** Asks the replica site who owns the volumes that an appliance does not know. */
  #askAboutMembers(appliance: ApplianceHost): void {
    if (!appliance.up || !this.site.up) return;
    const asked = appliance.wantsEverything ? this.volumes : [...appliance.wanted];
    appliance.wantsEverything = false;
    appliance.wanted.clear();
    for (const volume of asked) {
      const { group, epoch } = this.site.state.volume(volume);
      appliance.members.learn({ volume, group, epoch });
    }
  }

  /** Runs one cut round of a group over every splitter with members. */
  async #cutRound(id: ApplianceId, group: GroupId): Promise<GroupCut | undefined> {
    const { members } = this.#applianceOf(id);
    const volumes = members.membersOf(group);
    const hosts = [...this.splitters.values()].filter((host) =>
      [...host.disks.keys()].some((volume) => volumes.has(volume) && this.#isAttached(id, volume)),
    );
    if (hosts.length === 0 && volumes.size > 0)
      throw new MoverError('UNREACHABLE', `no splitter with volumes of ${group} is connected`);
    const round = `r${this.chance.below(1_000_000_000)}`;
    const holdMs = holdMsFor(hosts.length);
    if (hosts.length > 2) this.reaches('a round over more than two splitters');
    const answers = await Promise.all(
      hosts.map((host) =>
        this.#network('cut', host.id, () => {
          const now = this.time.momentOf(host.id);
          const answer = host.call((core) => core.cut({ round, group, holdMs }, now));
          if (holdMs > 0) this.witness.raised(`${host.id} ${round}`, host.life, holdMs, now.monotonicMs);
          return answer;
        }),
      ),
    );
    if (hosts.length > 1) {
      const confirmed = await Promise.all(
        hosts.map((host, i) =>
          this.#network('confirmCut', host.id, () => {
            const nowMs = this.time.monotonicMsOf(host.id);
            const life = answers[i]?.life;
            const answer = host.call((core) => core.confirmCut({ round, life }, nowMs));
            this.witness.confirmed(`${host.id} ${round}`, host.life, answer.held, nowMs, life);
            return answer;
          }),
        ),
      );
      if (this.faults.confirmCuts && !confirmed.every(({ held }) => held)) {
        this.pointsSkipped += 1;
        this.reaches('a round that was not held');
        return undefined;
      }
    }
    return groupCut(answers, volumes, (volume) => this.#isAttached(id, volume), this.time.nowMs);
  }

  #periodicPoint(appliance: ApplianceHost, group: GroupId): void {
    const { schedule } = appliance;
    const done = (): void => schedule.done(group, this.time.nowMs);
    this.time.stir();
    if (appliance.paused.has(group)) done();
    else
      void this.#point(group, 'periodic')
        .catch(() => undefined)
        .finally(done);
  }

  /** Closes a point of a group; undefined if its cut lacks a volume of `mustHave`. */
  async #point(
    group: GroupId,
    kind: 'periodic' | 'demand',
    mustHave: readonly VolumeId[] = [],
  ): Promise<RecoveryPoint | undefined> {
    const { appliance: id } = this.groups.find((served) => served.group === group) ?? {};
    if (id === undefined) throw new Error(`nobody serves ${group}`);
    const appliance = this.#applianceOf(id);
    return await appliance.round(group, async () => this.#closeRound(id, group, kind, mustHave));
  }

  async #closeRound(
    id: ApplianceId,
    group: GroupId,
    kind: 'periodic' | 'demand',
    mustHave: readonly VolumeId[],
  ): Promise<RecoveryPoint | undefined> {
    if (!mustHave.every((volume) => this.#isAttached(id, volume))) return undefined;
    const appliance = this.#applianceOf(id);
    const { members } = appliance;
    if (kind === 'demand')
      members.learnGroup(
        group,
        this.site.call((state) => state.membersOf(group)).map(({ volume, epoch }) => ({ volume, group, epoch })),
      );
    const beganAtMs = this.time.nowMs;
    const round = await this.#cutRound(id, group);
    if (round === undefined) return undefined;
    if (!mustHave.every((volume) => round.cuts.some((cut) => cut.volume === volume))) return undefined;
    const isBehind = (): boolean => this.site.up && !this.site.call((state) => cutsReached(state, round.cuts));
    for (let tries = 0; tries < 30 && isBehind(); tries += 1) await this.time.sleep(10);
    // The site ends the calls of an appliance that is gone.
    if (members !== appliance.members) throw new MoverError('UNREACHABLE', `appliance ${id} was restarted`);
    const point = this.site.call((state) =>
      attempts.closeGroupPoint(state, { group, kind, ...round }, this.siteMoment),
    );
    this.roundsBegan.set(point.id, beganAtMs);
    this.witness.closed(point);
    if (point.bookmark?.attempt !== undefined) this.reaches("the site's own join");
    for (const volume of members.learnPoint(point)) appliance.wanted.add(volume);
    return point;
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
    const { witness } = this;
    const look = <T>(call: string, run: () => T): Promise<T> => this.#network(call, host.id, run);
    const over = <T>(call: string, input: OfAttempt, run: (now: VirtualMoment) => T): Promise<T> => {
      const answer = (): T => run(this.time.momentOf(host.id));
      const served = (): T => serve(witness, { process: host.id, call, input }, answer);
      return this.#network(call, host.id, served, input.attempt.move);
    };
    const parse = <K extends keyof typeof splitterApi>(key: K, input: InputOf<(typeof splitterApi)[K]>) =>
      this.inputs.of(splitterApi[key].input, input) as ReturnType<(typeof splitterApi)[K]['input']['parse']>;
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
      addVolume: unused,
      growVolume: unused,
      retireVolume: unused,
      forgetVolume: unused,
      inventory: (input) => look('inventory', () => host.call((core) => core.inventory(parse('inventory', input)))),
      notify: (input) =>
        over('notify', input, () => {
          const parsed = parse('notify', input);
          const answer = host.call((core) => core.notify(parsed));
          witness.took('notify', idsOf(parsed.volumes), parsed.attempt);
          return answer;
        }),
      fence: (input) =>
        over('fence', input, (now) => {
          const parsed = parse('fence', input);
          const answer = host.call((core) => core.fence(parsed, now));
          witness.took('fence', parsed.volumes, parsed.attempt);
          witness.fenced(host.id, host.life, parsed, answer, now.monotonicMs, this.time.nowMs);
          return answer;
        }),
      confirm: (input) =>
        over('confirm', input, ({ monotonicMs }) => {
          const parsed = parse('confirm', input);
          const answer = host.call((core) => core.confirm(parsed, monotonicMs));
          const key = `${host.id} ${attemptName(parsed.attempt)}`;
          witness.confirmed(key, host.life, answer.held, monotonicMs, parsed.life);
          return answer;
        }),
      renew: (input) =>
        over('renew', input, ({ monotonicMs }) => host.call((core) => core.renew(parse('renew', input), monotonicMs))),
      learn: (input) =>
        over('learn', input, ({ wallMs }) => {
          const parsed = parse('learn', input);
          const answer = host.call((core) => core.learn(parsed, wallMs));
          witness.learned(idsOf(parsed.volumes), parsed.attempt, parsed.verdict);
          // A splitter attaches its volumes at their new owner at once.
          this.#pump(host);
          return answer;
        }),
    };
  }

  #applianceCalls(id: ApplianceId): ApplianceCalls {
    const { site } = this;
    const look = <T>(call: string, run: () => T): Promise<T> => this.#over(id, call, run);
    const over = <T>(call: string, input: OfAttempt, run: (now: VirtualMoment) => T): Promise<T> => {
      const served = (): T => serve(this.witness, { process: SITE, call, input }, () => run(this.siteMoment));
      return this.#over(id, call, served, input.attempt.move);
    };
    /** A call that answers with the attempt's record, seen by the witness. */
    const record = (
      call: string,
      input: OfAttempt,
      run: (state: SiteState, now: VirtualMoment) => AttemptRecord,
      stored?: (answer: AttemptRecord, now: VirtualMoment) => void,
    ): Promise<AttemptRecord> =>
      over(call, input, (now) => {
        const answer = site.call((state) => run(state, now));
        this.#sawRecord(answer);
        stored?.(answer, now);
        return answer;
      });
    const parse = <K extends keyof typeof applianceApi>(key: K, input: InputOf<(typeof applianceApi)[K]>) =>
      this.inputs.of(applianceApi[key].input, input) as ReturnType<(typeof applianceApi)[K]['input']['parse']>;
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
        reserved: attempts.comingTo(site.state, group, this.siteMoment),
      };
    };
    const calls: ApplianceCalls = {
      health: unused,
      audit: unused,
      siteAudit: unused,
      describe: () =>
        look('describe', () => ({
          appliance: id,
          link: { cut: false },
          pausedGroups: [...this.#applianceOf(id).paused],
          nbd: { host: '127.0.0.1', port: 0 },
        })),
      groups: unused,
      addVolume: unused,
      setVolume: unused,
      retiredProcesses: unused,
      addAppliance: unused,
      retireAppliance: unused,
      addSplitter: unused,
      retireSplitter: unused,
      growVolume: unused,
      retireVolume: unused,
      forgetVolume: unused,
      addGroup: unused,
      setGroup: unused,
      retireGroup: unused,
      closePoint: unused,
      markPoint: unused,
      lockPoint: unused,
      waysBack: unused,
      finalize: unused,
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
        look('inventory', () => {
          const { items, ...rest } = pageOfVolumes(site.state, parse('inventory', input));
          return { volumes: items.map((row) => inventoryVolume(site.state, row)), ...rest };
        }),
      storeReport: (input) =>
        look('storeReport', () => {
          this.reports.put(parse('storeReport', input));
          return {};
        }),
      report: (input) => look('report', () => this.reports.get(parse('report', input).move)),
      reports: (input) => look('reports', () => this.reports.page(parse('reports', input))),
      storeBatchPlan: (input) =>
        look('storeBatchPlan', () => {
          this.batches.storePage(parse('storeBatchPlan', input));
          return {};
        }),
      finishBatchPlan: (input) => look('finishBatchPlan', () => this.batches.finish(parse('finishBatchPlan', input))),
      batchPlan: (input) => look('batchPlan', () => this.batches.page(parse('batchPlan', input))),
      storeBatchReport: (input) =>
        look('storeBatchReport', () => {
          this.batches.storeReport(parse('storeBatchReport', input));
          return {};
        }),
      batchReport: (input) => look('batchReport', () => this.batches.report(parse('batchReport', input).batch)),
      siteGroups: (input) =>
        look('siteGroups', () => {
          const { group: only } = parse('siteGroups', input);
          const found = this.groups.filter(({ group }) => only === undefined || group === only);
          if (found.length === 0) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${only}".`);
          return { groups: found.map(({ group }) => groupRow(group)) };
        }),
      siteVolumes: (input) =>
        look('siteVolumes', () => {
          const { volume } = parse('siteVolumes', input);
          return { volumes: volume === undefined ? [] : [this.#describe(volume)] };
        }),
      lag: (input) =>
        look('lag', () => ({
          volume: parse('lag', input).volume,
          bufferedBytes: 0,
          undistributedBytes: site.undistributedBytes(parse('lag', input).volume),
        })),
      ticketFloor: () => look('ticketFloor', () => ({ floor: site.state.nextTicket })),
      openAttempts: (input) =>
        look('openAttempts', () => {
          const { items, ...rest } = pageOfOpenAttempts(
            site.state,
            parse('openAttempts', input),
            this.siteMoment.monotonicMs,
          );
          return { attempts: items, ...rest };
        }),
      open: (input) =>
        record(
          'open',
          input,
          (state, now) => attempts.openAttempt(state, parse('open', input), now),
          (answer, { monotonicMs }) => this.#opened(answer, input.deadlineAfterMs, monotonicMs),
        ),
      renew: (input) =>
        record('renew', input, (state, { monotonicMs }) =>
          this.#renewed(attempts.renewAttempt(state, parse('renew', input).attempt, input.leaseMs, monotonicMs), input),
        ),
      drain: (input) =>
        over('drain', input, () =>
          site.call((state) =>
            attempts.drainProgress(state, parse('drain', input).attempt, parse('drain', input).cuts),
          ),
        ),
      seal: (input) =>
        record('seal', input, (state, now) => {
          const { attempt, cuts, others, atMs } = parse('seal', input);
          attempts.renewIfOpen(state, attempt, input.leaseMs, now.monotonicMs);
          return attempts.sealAttempt(state, attempt, cuts, others, atMs, { now });
        }),
      bookmark: (input) =>
        record('bookmark', input, (state) =>
          attempts.bookmarkAttempt(state, parse('bookmark', input).attempt, parse('bookmark', input)),
        ),
      adopt: (input) =>
        record(
          'adopt',
          input,
          (state, now) => {
            const { attempt, leaseMs } = parse('adopt', input);
            attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
            return attempts.adoptAttempt(state, attempt, now);
          },
          ({ contents }) => {
            for (const { volume, epoch } of contents?.volumes ?? [])
              if (contents !== undefined)
                this.#applianceOf(id).members.learn({ volume, group: contents.to, epoch: epoch + 1 });
          },
        ),
      resolve: (input) =>
        record('resolve', input, (state, now) => {
          const asked = parse('resolve', input);
          this.reaches(`resolve: ${state.attempt(asked.attempt)?.state ?? 'unknown'}`);
          return attempts.answerVerdict(state, asked, now);
        }),
      get: (input) => record('get', { attempt: input }, (state) => attempts.getAttempt(state, parse('get', input))),
      join: async (input) => {
        const { attempt } = parse('join', input);
        const before = await record('join', input, (state) => attempts.getAttempt(state, attempt));
        const { contents } = before;
        if (before.joined !== undefined) return before;
        if (before.state !== 'COMMITTED') throw new MoverError('NOT_COMMITTED', `the attempt is ${before.state}`);
        if (contents === undefined)
          return await record('join', input, (state) => attempts.joinAttempt(state, attempt, pointIdOf(0)));
        const point = await this.#point(contents.to, 'demand', idsOf(contents.volumes));
        if (point === undefined) {
          const members = site.call((state) => state.membersOf(contents.to));
          refuseMovedAgain(before, members);
          return before;
        }
        const pointed = { attempt, point: point.id };
        return await record('join', pointed, (state) => attempts.joinAttempt(state, attempt, point.id));
      },
      findPoint: (input) => look('findPoint', () => site.call((state) => findPoint(state, parse('findPoint', input)))),
      listPoints: (input) =>
        look('listPoints', () => {
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

  #sawRecord(record: AttemptRecord): void {
    this.witness.saw(record);
    const commit = this.witness.committed(record);
    if (commit !== undefined) this.#committed(commit);
  }

  #renewed(record: AttemptRecord, { leaseMs }: { readonly leaseMs: number }): AttemptRecord {
    if ((record.contents?.lease?.ms ?? leaseMs) < leaseMs) this.reaches('a renewal that the deadline cut short');
    return record;
  }

  /** A group has room for its members and for all that were promised a place. */
  #opened(record: AttemptRecord, deadlineAfterMs: number, nowMs: number): void {
    const { contents } = record;
    if (record.state !== 'OPEN' || contents === undefined) return;
    this.witness.opened(record, deadlineAfterMs, nowMs);
    const { state } = this.site;
    const kept = attempts.keptIn(state, contents.to, this.siteMoment).size;
    const taken = state.memberCount(contents.to) + attempts.reservedIn(state, contents.to, nowMs) + kept;
    const { volumesMax } = state.group(contents.to);
    if (taken > volumesMax)
      this.witness.break(`${contents.to} has room for ${volumesMax} volumes, and ${taken} have a place`);
  }

  /** Checks a commit: its fences stand, and each lineage ends exactly at its cut. */
  #committed({ record, contents }: Commit): void {
    if (this.hasSiteForgotten || this.hasSplitterForgotten) return;
    const name = attemptName(record.attempt);
    for (const { volume } of contents.volumes) {
      const seal = record.seals.find((candidate) => candidate.volume === volume);
      const { position } = this.site.durable(volume);
      if (seal?.position !== position)
        this.witness.break(`${name} was committed with ${volume} at ${position}, sealed at ${seal?.position}`);
      const split = this.hostOf(volume).core?.volume(volume);
      if (split === undefined) continue;
      const { fence, route } = split.row;
      const isFenced =
        fence?.attempt.ticket === contents.ticket && fence.cut.session === seal?.session && fence.cut.n === seal.n;
      if (!isFenced)
        this.witness.break(
          `${name} was committed at ${JSON.stringify(seal)} while ${volume} had the fence ${JSON.stringify(fence)} and went to ${route.group}`,
        );
    }
  }

  #describe(volume: VolumeId): OutputOf<typeof applianceApi.siteVolumes>['volumes'][number] {
    const row = this.site.state.volume(volume);
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
      ...holderOf(this.site.state, row, this.siteMoment.monotonicMs),
      ...wayBackOf(this.site.state, row, this.siteMoment.ageMs),
    };
  }
}

function idsOf(bound: readonly { readonly volume: VolumeId }[]): VolumeId[] {
  return bound.map(({ volume }) => volume);
}

function urlOf(appliance: ApplianceId): string {
  return `http://${appliance}.test`;
}

/** What a splitter asks about an attempt that it has a fence or a notice of. */
function questionOf({ attempt: { move, n, ticket } }: PendingVerdict, onlyIfExpired: boolean) {
  const reason = onlyIfExpired ? 'announced and gone' : 'lease ran out';
  return { attempt: { move, n }, ticket, reason, onlyIfExpired };
}
