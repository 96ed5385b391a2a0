// Power cuts over the real shells. A guest's writes go through the splitter's files and the replica
// site's journal, each on a machine that may lose power; copies and receipts go between them. Only
// the stores of rows are taken as safe, as lmdb's are.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import { mendHolesOf } from '../../simulator/replica-site/core/records.js';
import type { VolumeRow } from '../../simulator/replica-site/core/rows.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES } from '../../simulator/replica-site/core/state.js';
import { Intakes } from '../../simulator/replica-site/intake/intakes.js';
import type { Attached, VolumeIntake } from '../../simulator/replica-site/intake/volume-intake.js';
import type { RecordFrame } from '../../simulator/stream/frame.js';
import { claimOf } from '../support/identities.js';
import { Comparisons } from '../../simulator/splitter/marks/comparisons.js';
import type { Confirmed } from '../../contracts/lineage.js';
import { Journals } from '../../simulator/replica-site/journals.js';
import { Site } from '../../simulator/replica-site/site.js';
import type { Copy } from '../../simulator/splitter/core/copies.js';
import { REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import type { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { ShortInitialization } from '../../simulator/splitter/marks/short-initialization.js';
import type { RowStore } from '../../simulator/store/row-store.js';
import { standingClock } from '../support/settable-clock.js';
import { type DiskProcess, PowerDisk } from './power-disk.js';
import { type VolumeLife, GROUP, SPLITTER, SPLITTER_FOLDERS, startVolume, VOLUME } from './power-splitter.js';
import { GuestModel, type GuestWrite } from './power-guest.js';
import { Chance } from './virtual-time.js';

const SECTOR_BYTES = 512;
const SIZE_BYTES = 3 * REGION_BYTES + 8 * SECTOR_BYTES;
/** Small, so that a run fills several segments. */
const SEGMENT_BYTES = 24 * 1024;
const QUEUE_BYTES = 4 * 1024 * 1024;
/** Longest time from the last fault until a world is quiet, in turns. */
const QUIET_TURNS_MAX = 4_000;
const SITE_FOLDERS = ['/site', '/site/volumes'] as const;
/** Most writes that the guest has under way. */
const IN_FLIGHT_MAX = 6;
const log = pino({ level: 'silent' });

/** Rules of the product that a world leaves out, to show that the test notices. */
export interface PowerOptions {
  /** Where rewriting equal bytes does not reach the disk: what a failed sync lost stays lost. */
  readonly withoutRewriting?: 'splitter' | 'site';
  /** A write does not wait for the sync of a mark that another write set. */
  readonly withoutWaitingForMarks?: boolean;
  /** A mark is cleared once the replica site has its writes, though the source is not synced. */
  readonly withoutSyncBeforeClearing?: boolean;
}

/** A broken promise. */
export class PromiseBroken extends Error {
  override readonly name = 'PromiseBroken';
}

interface SplitterLife extends VolumeLife {
  readonly process: DiskProcess;
  readonly initialization: ShortInitialization;
  dead: boolean;
}

interface SiteLife {
  readonly process: DiskProcess;
  readonly site: Site;
  readonly journals: Journals;
  readonly intakes: Intakes;
  dead: boolean;
}

interface Link {
  readonly splitter: SplitterLife;
  readonly site: SiteLife;
  readonly intake: VolumeIntake;
  readonly attached: Attached;
}

/** The site's rows, as its store keeps them. */
class Rows implements RowStore {
  readonly #tables = new Map<string, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));

  rows(table: string): Iterable<readonly [string, unknown]> {
    return [...(this.#tables.get(table) ?? [])];
  }

  commit(changes: Parameters<RowStore['commit']>[0]): void {
    for (const { table, key, value } of changes) {
      if (value === undefined) this.#tables.get(table)?.delete(key);
      else this.#tables.get(table)?.set(key, value);
    }
  }

  async close(): Promise<void> {
    // The rows stay.
  }
}

export class PowerWorld {
  readonly #chance: Chance;
  readonly #options: PowerOptions;
  readonly #splitterDisk: PowerDisk;
  readonly #siteDisk: PowerDisk;
  readonly #guest = new GuestModel(SIZE_BYTES);
  readonly #rows = new Rows();
  readonly #clock = standingClock();
  #splitter: SplitterLife | undefined;
  #site: SiteLife | undefined;
  #link: Link | 'attaching' | undefined;
  #session = 0;
  /** Position that the splitter was told is durable at the replica site. */
  #confirmed = 0;
  #inFlight = 0;
  /** Stops the stream while the two are compared. */
  #frozen = false;

  constructor(seed: number, options: PowerOptions = {}) {
    this.#chance = new Chance(seed);
    this.#options = options;
    const diskOf = (machine: 'splitter' | 'site'): PowerDisk =>
      new PowerDisk(this.#chance, machine === 'site' ? SITE_FOLDERS : SPLITTER_FOLDERS, {
        skipsEqualBytes: options.withoutRewriting === machine,
      });
    this.#splitterDisk = diskOf('splitter');
    this.#siteDisk = diskOf('site');
    const row: VolumeRow = {
      volume: VOLUME,
      splitter: SPLITTER,
      sizeBytes: SIZE_BYTES,
      group: GROUP,
      epoch: 1,
      session: 0,
      sealed: false,
    };
    this.#rows.commit([{ table: 'volumes', key: VOLUME, value: row }]);
  }

  /** @throws PromiseBroken */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) await this.#step();
    await this.#becomeQuiet();
    await this.#cutPower('both');
    await this.#becomeQuiet();
  }

  async #step(): Promise<void> {
    await this.#ensureUp();
    const chance = this.#chance;
    const what = chance.below(100);
    if (what < 40) this.#write();
    else if (what < 70) await this.#turns(1 + chance.below(6));
    else if (what < 78) this.#clearMarks();
    else if (what < 80) this.#breakLink();
    else if (what < 83) this.#failSplitter();
    else if (what < 86) this.#siteDisk.failSync('file');
    else if (what < 87) chance.pick([this.#splitterDisk, this.#siteDisk]).failSync('folder');
    else if (what < 89) chance.pick([this.#splitterDisk, this.#siteDisk]).evict();
    else if (what < 91) this.#splitter?.process.dieAfter(chance.below(8));
    else if (what < 93) this.#site?.process.dieAfter(chance.below(16));
    else if (what < 94) this.#killSplitter();
    else if (what < 95) this.#killSite();
    else if (what < 97) await this.#retain();
    else await this.#cutPower(chance.pick(['both', 'splitter', 'site'] as const));
  }

  /**
   * Fails a sync of the splitter, whose life can then write no more: a new life often follows soon.
   */
  #failSplitter(): void {
    this.#splitterDisk.failSync('file');
    if (this.#chance.hit(0.5)) this.#splitter?.process.dieAfter(2 + this.#chance.below(12));
  }

  // ---- the guest ----

  #write(): void {
    const life = this.#splitter;
    if (life === undefined || life.dead || this.#inFlight >= IN_FLIGHT_MAX) return;
    const { volume } = life;
    const chance = this.#chance;
    const sectors = chance.hit(0.05) ? 140 : 1 + chance.below(8);
    const length = Math.min(sectors * SECTOR_BYTES, SIZE_BYTES);
    const offset = chance.below((SIZE_BYTES - length) / SECTOR_BYTES + 1) * SECTOR_BYTES;
    const isZero = chance.hit(0.25);
    const write = this.#guest.issue(offset, length, isZero);
    this.#inFlight += 1;
    const { data } = write;
    const change = isZero
      ? ({ kind: 'zeroes', offset, length } as const)
      : ({ kind: 'write', offset, length, data } as const);
    void this.#issue(life, volume.change(change, false), write);
  }

  async #issue(life: SplitterLife, acknowledged: void | Promise<void>, write: GuestWrite): Promise<void> {
    try {
      await acknowledged;
      if (!life.dead) this.#guest.acknowledged(write);
    } catch {
      // The guest was told of the failure, or is gone with its host.
    }
    if (life === this.#splitter) this.#inFlight -= 1;
  }

  #clearMarks(): void {
    const life = this.#splitter;
    if (life?.dead === false) void this.#clearMarksOf(life).catch(() => undefined);
  }

  async #clearMarksOf({ volume, marksFile }: SplitterLife): Promise<void> {
    this.#storedConfirmed = volume.split.confirmed;
    if (this.#options.withoutSyncBeforeClearing === true) marksFile.storeCleared(volume.split.marks.clearSettled());
    else await volume.clearMarks();
  }

  // ---- lives ----

  async #ensureUp(): Promise<void> {
    if (this.#splitter === undefined || this.#splitter.dead) this.#startSplitter();
    if (this.#site === undefined || this.#site.dead) this.#startSite();
  }

  #startSplitter(): void {
    this.#killSplitter();
    const process = this.#splitterDisk.start(() => {
      life.dead = true;
    });
    this.#session += 1;
    this.#inFlight = 0;
    const { volume, source, marksFile } = startVolume(process, {
      session: this.#session,
      confirmed: this.#storedConfirmed,
      sizeBytes: SIZE_BYTES,
      waitsForMarks: this.#options.withoutWaitingForMarks !== true,
      onMarked: (one) => initialization.poke(one),
    });
    const initialization = new ShortInitialization(new Comparisons(SPLITTER, undefined), () => undefined, log);
    const life: SplitterLife = { process, volume, source, marksFile, initialization, dead: false };
    this.#splitter = life;
  }

  #startSite(): void {
    this.#killSite();
    const process = this.#siteDisk.start(() => {
      life.dead = true;
    });
    const journals: Journals = new Journals({
      directory: '/site/volumes',
      sync: true,
      reserve: { give: () => false },
      knownPosition: () => 0,
      sizeOf: () => SIZE_BYTES,
      events: {
        onOpened: (volume) => {
          if (life.dead) return;
          site.state.forgetAccepted(volume);
          site.change((state) => mendHolesOf(state, volume));
        },
        onDurable: (volume, durable) => intakes.durable(volume, durable),
        onApplied: (volume) => intakes.applied(volume),
        onStalled: (volume, part, error) => {
          if (part === 'intake') intakes.stalled(volume, error);
        },
        onReplicaDamaged: () => undefined,
        onRebuild: (volume, error) => intakes.rebuilding(volume, error),
        onFailed: (volume, error) => intakes.failed(volume, error),
      },
      log,
      files: process,
      segmentBytes: SEGMENT_BYTES,
    });
    const rows = { ...EMPTY_SITE };
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: this.#rows.rows(name) });
    const site: Site = new Site(new SiteState(rows, journals), this.#rows, this.#clock);
    const intakes: Intakes = new Intakes({
      site,
      journals,
      unappliedBytesMax: QUEUE_BYTES,
      freeBytes: () => undefined,
      onInitialized: () => undefined,
    });
    const life: SiteLife = { process, site, journals, intakes, dead: false };
    this.#site = life;
  }

  #killSplitter(): void {
    this.#breakLink();
    if (this.#splitter === undefined) return;
    this.#splitter.dead = true;
    this.#splitter.initialization.stop();
    this.#splitterDisk.kill();
  }

  #killSite(): void {
    this.#breakLink();
    if (this.#site === undefined) return;
    this.#site.dead = true;
    this.#siteDisk.kill();
  }

  // ---- the stream ----

  async #turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      await nextTurn();
      if (!this.#frozen) this.#pump();
    }
  }

  #pump(): void {
    const { volume, dead } = this.#splitter ?? {};
    if (volume === undefined || dead !== false || this.#site?.dead !== false) return;
    if (this.#link === undefined) void this.#attach(this.#splitter, this.#site);
    if (this.#link === undefined || this.#link === 'attaching') return;
    const { intake, attached } = this.#link;
    const { split } = volume;
    for (let copies = 0; copies < 8; copies += 1) {
      const copy = split.peek();
      if (copy === undefined) return;
      split.advance();
      intake.take(attached, frameOf(split, copy));
      // The record may have been refused.
      if (typeof this.#link !== 'object') return;
    }
  }

  async #attach(splitter: SplitterLife | undefined, site: SiteLife): Promise<void> {
    if (splitter === undefined) return;
    this.#link = 'attaching';
    const { split } = splitter.volume;
    const stale = (): boolean =>
      splitter.dead || site.dead || this.#link !== 'attaching' || splitter !== this.#splitter || site !== this.#site;
    try {
      const intake = await site.intakes.intake(VOLUME);
      const claim = claimOf({ ...split.claim(), sizeBytes: SIZE_BYTES }, GROUP);
      const answer = await intake.claim(claim);
      if (stale()) return;
      if (answer.kind === 'refuse') {
        // What was confirmed was on stable storage, and it is stored before a mark is cleared.
        if (answer.code === 'LINEAGE_FORKED')
          this.#broken = new PromiseBroken(`the history was forked: ${answer.message}`);
        this.#link = undefined;
        return;
      }
      const attached: Attached = {
        session: split.session,
        epoch: 1,
        onDurable: () => this.#receipt(attached),
        onRefused: () => this.#refused(attached),
        onCredit: () => undefined,
      };
      intake.add(attached);
      this.#link = { splitter, site, intake, attached };
      split.resume();
      split.attached(answer);
      this.#noteConfirmed(answer.n);
      splitter.initialization.poke(splitter.volume);
    } catch (error) {
      if (stale()) return;
      this.#link = undefined;
      this.#assertOpened(error);
    }
  }

  /** A journal may fail with its disk, but must not find its own files damaged. */
  #assertOpened(error: unknown): void {
    if (error instanceof MoverError && error.code === 'CORRUPT')
      this.#broken = new PromiseBroken(`the journal does not open: ${error.message}`);
  }

  #broken: PromiseBroken | undefined;
  /** What the splitter's row store has as confirmed, before marks that rest on it are cleared. */
  #storedConfirmed: Confirmed | undefined;

  #receipt(attached: Attached): void {
    setImmediate(() => {
      const link = this.#link;
      if (typeof link !== 'object' || link.attached !== attached || this.#frozen) return;
      const { split } = link.splitter.volume;
      const n = link.intake.durableOf(split.session);
      if (n === 0) return;
      this.#noteConfirmed(n);
      split.receipt(n);
      link.splitter.initialization.poke(link.splitter.volume);
    });
  }

  #noteConfirmed(n: number): void {
    const base = this.#site?.journals.sessionBase(VOLUME, this.#session);
    if (n > 0 && base !== undefined) this.#confirmed = Math.max(this.#confirmed, base + n);
  }

  #refused(attached: Attached): void {
    if (typeof this.#link === 'object' && this.#link.attached === attached) this.#breakLink();
  }

  #breakLink(): void {
    const link = this.#link;
    this.#link = undefined;
    if (typeof link !== 'object') return;
    link.intake.remove(link.attached);
    link.splitter.volume.split.detached();
  }

  async #retain(): Promise<void> {
    const journal = this.#site?.journals.open.get(VOLUME);
    if (journal === undefined || journal.failure !== undefined) return;
    const applied = journal.applied.position;
    const positions = [this.#chance.below(applied + 1), this.#chance.below(applied + 1)].sort(
      (one, other) => one - other,
    );
    void journal.retain({ positions: [...new Set(positions)], everyFrom: applied }).catch(() => undefined);
    await this.#turns(2);
  }

  // ---- power ----

  async #cutPower(which: 'both' | 'splitter' | 'site'): Promise<void> {
    if (which !== 'site') this.#killSplitter();
    if (which !== 'splitter') this.#killSite();
    if (which !== 'site') this.#splitterDisk.losePower();
    if (which !== 'splitter') this.#siteDisk.losePower();
    await this.#ensureUp();
    if (which !== 'site') await this.#checkSource();
    await this.#compare();
  }

  async #checkSource(): Promise<void> {
    const wrong = this.#guest.found(await this.#source());
    if (wrong !== undefined) throw new PromiseBroken(wrong);
  }

  async #source(): Promise<Buffer> {
    return this.#life.source.readNow(0, SIZE_BYTES);
  }

  get #life(): SplitterLife {
    if (this.#splitter === undefined) throw new Error('there is no splitter');
    return this.#splitter;
  }

  /**
   * Checks that regions that differ between source and replica are marked, and that nothing
   * confirmed is lost.
   */
  async #compare(): Promise<void> {
    this.#frozen = true;
    try {
      const replica = await this.#replica();
      // The disk still fails, or the process died meanwhile: the next look checks again.
      if (replica === undefined || this.#life.dead) return;
      const { marks } = this.#life.volume.split;
      const source = await this.#source();
      for (let region = 0; region < marks.regions; region += 1) {
        const [from, to] = [region * REGION_BYTES, Math.min((region + 1) * REGION_BYTES, SIZE_BYTES)];
        if (!marks.isMarked(region) && !source.subarray(from, to).equals(replica.subarray(from, to)))
          throw new PromiseBroken(`region ${region} differs between source and replica, and is not marked`);
      }
    } finally {
      this.#frozen = false;
    }
  }

  async #replica(): Promise<Buffer | undefined> {
    const life = this.#site;
    if (life === undefined) return undefined;
    try {
      const journal = await life.journals.journal(VOLUME);
      const { position } = journal.durable;
      if (position < this.#confirmed)
        throw new PromiseBroken(`the replica site has position ${position}, and confirmed ${this.#confirmed}`);
      const image = await journal.openImage(position);
      const content = await image.read(0, SIZE_BYTES);
      image.close();
      return content;
    } catch (error) {
      if (error instanceof PromiseBroken) throw error;
      if (!life.dead) this.#assertOpened(error);
      return undefined;
    } finally {
      this.#throwBroken();
    }
  }

  #throwBroken(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /**
   * Checks that without further faults everything is confirmed, and source and replica become
   * equal.
   */
  async #becomeQuiet(): Promise<void> {
    this.#splitterDisk.heal();
    this.#siteDisk.heal();
    // A failed sync of a file is mended by a new life, that of a folder by a boot.
    this.#killSplitter();
    this.#killSite();
    if (this.#splitterDisk.needsBoot) await this.#cutPower('splitter');
    if (this.#siteDisk.needsBoot) await this.#cutPower('site');
    await this.#ensureUp();
    for (let turn = 0; turn < QUIET_TURNS_MAX; turn += 1) {
      await this.#turns(1);
      this.#throwBroken();
      const { volume } = this.#life;
      const { split } = volume;
      if (split.mode !== 'SYNCED' || !split.allConfirmed) continue;
      await this.#clearMarksOf(this.#life);
      if (split.marks.marked > 0) continue;
      await this.#compare();
      return;
    }
    const { split } = this.#life.volume;
    throw new PromiseBroken(`not quiet: ${split.mode}, ${split.marks.marked} marked, ${split.marks.dirty} dirty`);
  }
}

function frameOf(split: VolumeSplit, copy: Copy): RecordFrame {
  const { n, timeMs } = copy;
  const head = { handle: 1, session: split.session, n, epoch: 1, timeMs };
  switch (copy.kind) {
    case 'write':
      return { type: 'write', ...head, offset: copy.offset, data: Buffer.from(split.dataOf(copy)) };
    case 'zeroes':
      return { type: 'zeroes', ...head, offset: copy.offset, length: copy.length };
    case 'initBegin':
      return { type: 'initBegin', ...head, sinceMs: copy.sinceMs, reason: copy.reason };
    case 'initEnd':
      return { type: 'initEnd', ...head };
  }
}
