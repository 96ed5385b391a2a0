// The image accesses of an appliance: opened as a whole or not at all, held at the replica site,
// closed on demand or at their limits, and logged.
// After a restart of the appliance a read-only access is open again under the same names, at the
// same positions: it has no state to lose. A writable access is ended, since its scratch is gone.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import type { ApplianceId, VolumeId } from '../../../contracts/ids.js';
import {
  ACCESS_TEXT_LENGTH_MAX,
  accessIdSchema,
  type Access,
  type AccessId,
  type ParsedOpenAccessInput,
} from '../../../contracts/images.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import { IMAGES_KEPT_PER_CALL_MAX } from '../../../contracts/replica-site-api.js';
import type { BlockDevice, NbdPeer } from '../../../nbd/block-device.js';
import type { RowStore } from '../../store/row-store.js';
import { accessExportName } from '../core/export-name.js';
import { OpenAccess, type AccessFacts } from './access.js';
import { AccessLog, type StoredAccess } from './access-log.js';
import type { ScratchFolder, ScratchLimits } from './scratch-folder.js';
import { SiteImage, type SiteImageParts } from './site-image.js';

/** Most accesses open at once. */
export const OPEN_ACCESSES_MAX = 64;
/** Longest time without a connection, ms: a lunch break, but not a night. */
export const ACCESS_IDLE_MS_MAX = 2 * 3_600_000;
/** Time between two checks of the limits, ms. */
const CHECK_EVERY_MS = 5_000;
/**
 * How often the replica site is told which images are in use, ms: far below the 10 minutes after
 * which it considers an image abandoned.
 */
const KEEP_EVERY_MS = 15_000;
/** Images opened at once for a group; each reads UNDO from the disk. */
const OPENINGS_MAX = 8;
/** Random bytes of a generated id: short enough to type. */
const ID_BYTES = 4;
/** How often an access's remaining time is stored, ms: a restart prolongs it by no more. */
const STORE_EVERY_MS = 10 * 60_000;
const STOPPED = { detail: 'The appliance was stopped.' };

export interface AccessLimits extends ScratchLimits {
  readonly openAccessesMax?: number | undefined;
  readonly accessIdleMsMax?: number | undefined;
  readonly accessCheckEveryMs?: number | undefined;
  readonly keepImagesEveryMs?: number | undefined;
}

export interface AccessesOptions extends AccessLimits {
  readonly appliance: ApplianceId;
  readonly parts: SiteImageParts;
  readonly scratch: ScratchFolder;
  readonly store: RowStore;
  readonly log: Logger;
}

interface Opening {
  readonly input: ParsedOpenAccessInput;
  readonly opened: Promise<OpenAccess>;
}

export class Accesses {
  readonly #options: AccessesOptions;
  readonly #log: AccessLog;
  readonly #open = new Map<AccessId, OpenAccess>();
  readonly #opening = new Map<AccessId, Opening>();
  readonly #ending = new Set<OpenAccess>();
  readonly #timers: NodeJS.Timeout[] = [];
  #storedAtMs = performance.now();
  #keeping = false;
  #stopped = false;

  constructor(options: AccessesOptions) {
    this.#options = options;
    this.#log = new AccessLog(options.store, options.log);
  }

  /** Restores or ends the accesses that an earlier process left open. */
  start(): void {
    for (const stored of this.#log.takeUnended()) {
      if (stored.access.writable) this.#endAfterRestart(stored);
      else this.#restore(stored);
    }
    const { accessCheckEveryMs = CHECK_EVERY_MS, keepImagesEveryMs = KEEP_EVERY_MS } = this.#options;
    this.#timers.push(
      setInterval(() => this.#check(), accessCheckEveryMs).unref(),
      setInterval(() => void this.#keep(), keepImagesEveryMs).unref(),
    );
    if (this.#open.size > 0) void this.#keep();
  }

  /**
   * Opens all images or none. A repeated call with the same id returns the open access.
   * @throws MoverError POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT,
   * GROUP_NOT_FOUND, VOLUME_NOT_FOUND, ACCESS_MISMATCH, UNREACHABLE, LINK_DOWN, STORAGE_FULL,
   * STORAGE_FAILED, SHUTTING_DOWN
   */
  async open(input: ParsedOpenAccessInput, signal: AbortSignal): Promise<Access> {
    const id = input.access ?? this.#newId();
    const known = this.#knownAs(id, input);
    if (known !== undefined) return (await known).view();
    const { openAccessesMax = OPEN_ACCESSES_MAX } = this.#options;
    if (this.#open.size + this.#opening.size >= openAccessesMax)
      throw new MoverError('IMAGE_LIMIT', `${openAccessesMax} image accesses are open already.`);
    // Opens without the caller's signal: a caller that repeats the call with the same id wants the
    // access that this call began.
    const opened = this.#openNew(id, input).finally(() => this.#opening.delete(id));
    this.#opening.set(id, { input, opened });
    const access = await opened;
    if (signal.aborted && input.access === undefined) {
      await this.#end(access, 'closed', { detail: 'The client left before the access was open.' });
      signal.throwIfAborted();
    }
    return access.view();
  }

  /** How many accesses are open, by whether they can be written. */
  get counts(): { readonly readOnly: number; readonly writable: number } {
    const writable = [...this.#open.values()].filter(({ facts }) => facts.writable).length;
    return { readOnly: this.#open.size - writable, writable };
  }

  /** Accesses, newest first: the open ones, then the last ended ones. */
  list(): Access[] {
    const open = [...this.#open.values()].map((access) => access.view()).toReversed();
    return [...open, ...this.#log.ended.map(({ access }) => access).toReversed()];
  }

  /** Closes an access, or repeats how it ended. @throws MoverError ACCESS_NOT_FOUND */
  async close(id: AccessId, by: string | undefined): Promise<Access> {
    const access = this.#open.get(id) ?? (await this.#opening.get(id)?.opened.catch(() => undefined));
    if (access === undefined) {
      const ended = this.#log.endedOf(id);
      if (ended !== undefined) return ended.access;
      throw new MoverError('ACCESS_NOT_FOUND', `access: there is no image access "${id}" at this appliance.`);
    }
    await this.#end(access, 'closed', { by });
    return access.view();
  }

  get exportNames(): readonly string[] {
    return [...this.#open.values()].flatMap((access) => access.exportNames);
  }

  /** A volume's export; undefined if there is none, or none any more. */
  connect(id: AccessId, volume: VolumeId, peer: NbdPeer): BlockDevice | undefined {
    return this.#open.get(id)?.connect(volume, peer);
  }

  /** Sentences about accesses that are near a limit, and about access states that aren't stored. */
  get notes(): readonly string[] {
    const near = [...this.#open.values()].flatMap((access) => access.view().warnings);
    return [...near, ...(this.#log.note === undefined ? [] : [this.#log.note])];
  }

  /** Stops after all connections have ended. Read-only accesses stay open for the next process. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.allSettled([...this.#opening.values()].map(({ opened }) => opened));
    const open = [...this.#open.values()];
    for (const { facts, images } of open) if (!facts.writable) for (const image of images) image.release();
    const ending = [...this.#ending, ...open.filter(({ facts }) => facts.writable)];
    await Promise.all(ending.map((access) => this.#end(access, 'restart', STOPPED)));
  }

  #newId(): AccessId {
    const id = accessIdSchema.parse(randomBytes(ID_BYTES).toString('hex'));
    const taken = this.#open.has(id) || this.#opening.has(id) || this.#log.endedOf(id) !== undefined;
    return taken ? this.#newId() : id;
  }

  /**
   * The access that has this id already; undefined if there is none.
   * @throws MoverError ACCESS_MISMATCH if it has ended or has other contents
   */
  #knownAs(id: AccessId, input: ParsedOpenAccessInput): Promise<OpenAccess> | undefined {
    const mismatch = (what: string): MoverError =>
      new MoverError('ACCESS_MISMATCH', `access: image access "${id}" ${what}.`);
    if (this.#log.endedOf(id) !== undefined) throw mismatch('has ended');
    const opening = this.#opening.get(id);
    if (opening !== undefined) {
      if (JSON.stringify(opening.input) !== JSON.stringify(input))
        throw mismatch('is being opened with other contents');
      return opening.opened;
    }
    const open = this.#open.get(id);
    if (open === undefined) return undefined;
    const { group, point, writable } = open.facts;
    const [volume] = open.images.map((image) => image.held.volume);
    const same =
      group === input.group &&
      (group !== undefined || volume === input.volume) &&
      writable === input.writable &&
      (input.point === undefined || input.point === point);
    if (!same) throw mismatch('is open with other contents');
    return Promise.resolve(open);
  }

  async #openNew(id: AccessId, input: ParsedOpenAccessInput): Promise<OpenAccess> {
    const { appliance, parts, log } = this.#options;
    const { group, volume, point: pointId, atMs, writable, client, operator, reason, forMs } = input;
    const point = await parts.site.call('findPoint', {
      ...(group === undefined ? {} : { group }),
      ...(volume === undefined ? {} : { volume }),
      ...(pointId === undefined ? {} : { point: pointId }),
      ...(atMs === undefined ? {} : { atMs }),
    });
    const volumes = point.members
      .map((member) => member.volume)
      .filter((each) => group !== undefined || each === volume);
    if (volumes.length === 0) throw withoutMembers(point);
    const holder = `${appliance}, access ${id} for ${client}`.slice(0, ACCESS_TEXT_LENGTH_MAX);
    const images = await openAll(parts, point, volumes, holder);
    const facts: AccessFacts = {
      id,
      ...(group === undefined ? {} : { group }),
      point: point.id,
      atMs: point.atMs,
      writable,
      client,
      ...(operator === undefined ? {} : { operator }),
      ...(reason === undefined ? {} : { reason }),
      openedAtMs: Date.now(),
      leftOut: group === undefined ? [] : point.leftOut,
      ...(point.doubt === undefined ? {} : { clockDoubt: point.doubt }),
    };
    const access = await this.#begin(facts, images, forMs);
    if (this.#stopped) {
      await this.#end(access, 'restart', STOPPED);
      throw new MoverError('SHUTTING_DOWN', 'The appliance is shutting down.');
    }
    log.info({ ...facts, access: id, exports: access.exportNames, forMs }, 'image access opened');
    return access;
  }

  /**
   * Stores a new access, then holds it. An access that can't be stored isn't opened: if the process
   * died, its images would stay open and nobody would know.
   */
  async #begin(facts: AccessFacts, images: readonly SiteImage[], leftMs: number): Promise<OpenAccess> {
    try {
      const access = this.#make(facts, images, leftMs);
      this.#log.begin(access.stored);
      return this.#hold(access);
    } catch (error) {
      await Promise.all(images.map((image) => image.close()));
      throw error;
    }
  }

  #make(
    facts: AccessFacts,
    images: readonly SiteImage[],
    leftMs: number,
    earlier: StoredAccess['access']['exports'] = [],
  ): OpenAccess {
    const { scratch, log, accessIdleMsMax = ACCESS_IDLE_MS_MAX } = this.#options;
    const budget = facts.writable ? scratch.budget() : undefined;
    return new OpenAccess({
      facts,
      leftMs,
      idleMsMax: accessIdleMsMax,
      budget,
      members: images.map((image) => {
        const { volume, sizeBytes } = image.held;
        const owner = { access: facts.id, volume, client: facts.client };
        return {
          name: accessExportName(facts.id, volume),
          image,
          scratch: budget === undefined ? undefined : scratch.make({ sizeBytes, budget, owner }),
          traffic: earlier.find((each) => each.volume === volume),
        };
      }),
      onChange: (changed) => this.#changed(changed),
      log,
    });
  }

  #hold(access: OpenAccess): OpenAccess {
    this.#open.set(access.facts.id, access);
    for (const image of access.images)
      image.onLost((error) => void this.#end(access, 'history', { detail: error.message }));
    return access;
  }

  #changed(access: OpenAccess): void {
    if (access.isEnded) this.#open.delete(access.facts.id);
    this.#log.put(access.stored);
  }

  /** Ends an access. Never rejects; an access that is already ending keeps its first reason. */
  async #end(access: OpenAccess, ...how: Parameters<OpenAccess['end']>): Promise<void> {
    this.#ending.add(access);
    await access.end(...how);
    this.#ending.delete(access);
  }

  #restore(stored: StoredAccess): void {
    const { parts, log } = this.#options;
    const { exports, scratch: _none, limit: _limit, warnings: _warnings, ended: _ended, ...facts } = stored.access;
    const images = stored.images.map((held) => new SiteImage(parts, held));
    const leftMs = stored.leftMs ?? Math.max(0, stored.expiresAtMs - facts.openedAtMs);
    this.#log.put(this.#hold(this.#make(facts, images, leftMs, exports)).stored);
    log.info({ access: facts.id, client: facts.client, point: facts.point }, 'image access goes on after a restart');
  }

  #endAfterRestart({ access, images, expiresAtMs }: StoredAccess): void {
    const { parts, log } = this.#options;
    const { limit: _limit, ...facts } = access;
    const detail = 'The appliance was restarted; the scratch is gone.';
    const exports = access.exports.map((each) => ({ ...each, connections: 0 }));
    const ended: Access = { ...facts, exports, warnings: [], ended: { atMs: Date.now(), why: 'restart', detail } };
    this.#log.put({ access: ended, expiresAtMs, images: [] });
    log.warn(
      { access: facts.id, client: facts.client, point: facts.point, why: 'restart', detail },
      'image access ended',
    );
    for (const held of images) void new SiteImage(parts, held).close();
  }

  #check(): void {
    this.#log.storeAgain();
    const store = performance.now() - this.#storedAtMs >= STORE_EVERY_MS;
    if (store) this.#storedAtMs = performance.now();
    for (const access of this.#open.values()) {
      const why = access.check();
      if (why !== undefined) void this.#end(access, why);
      else if (store) this.#log.put(access.stored);
    }
  }

  /** Tells the replica site which images are in use, and reopens lost ones. Never rejects. */
  async #keep(): Promise<void> {
    if (this.#keeping) return;
    this.#keeping = true;
    try {
      const held = new Map([...this.#open.values()].flatMap(({ images }) => images).map((each) => [each.image, each]));
      const ids = [...held.keys()];
      for (let at = 0; at < ids.length; at += IMAGES_KEPT_PER_CALL_MAX) {
        const images = ids.slice(at, at + IMAGES_KEPT_PER_CALL_MAX);
        const { missing, evicted } = await this.#options.parts.site.call('keepImages', { images });
        for (const id of evicted) held.get(id)?.evicted();
        await Promise.all(missing.map(async (id) => held.get(id)?.reopen(id)));
      }
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the replica site could not be asked to keep open images');
    } finally {
      this.#keeping = false;
    }
  }
}

/** Opens all images or none. @throws MoverError of the first failure */
async function openAll(
  parts: SiteImageParts,
  point: RecoveryPoint,
  volumes: readonly VolumeId[],
  client: string,
): Promise<SiteImage[]> {
  const images: SiteImage[] = [];
  const failed = new AbortController();
  const next = volumes.values();
  const openOnes = async (): Promise<void> => {
    for (const volume of next) {
      if (failed.signal.aborted) return;
      images.push(await SiteImage.open(parts, { volume, point: point.id, client }, failed.signal));
    }
  };
  try {
    const openings = Array.from({ length: OPENINGS_MAX }, async () =>
      openOnes().catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(openings);
    failed.signal.throwIfAborted();
    return images.toSorted((a, b) => (a.held.volume < b.held.volume ? -1 : 1));
  } catch (error) {
    await Promise.all(images.map((image) => image.close()));
    throw error;
  }
}

function withoutMembers(point: RecoveryPoint): MoverError {
  const why = point.leftOut.map(({ volume, reason }) => `${volume} is left out: ${reason}`).join(', ');
  return new MoverError('POINT_NOT_FOUND', `point: ${point.id} has no volume to open${why === '' ? '' : ` (${why})`}.`);
}
