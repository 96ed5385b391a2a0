// One image access from its opening to its end: its images, its scratch, its connections, and how
// near its limits are.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { VolumeId } from '../../../contracts/ids.js';
import type { Access, AccessEnd, AccessExport } from '../../../contracts/images.js';
import type { BlockDevice, NbdPeer } from '../../../nbd/block-device.js';
import type { StoredAccess } from './access-log.js';
import { ImageDevice, type Traffic } from './image-device.js';
import type { ScratchBudget } from './scratch-budget.js';
import type { ScratchDisk } from './scratch-disk.js';
import type { SiteImage } from './site-image.js';

/**
 * How long before a time limit the warning starts, ms: time to connect again or open another
 * access. At most a fifth of the limit.
 */
const WARN_BEFORE_MS = 5 * 60_000;
const WARN_SHARE = 0.2;
/** Share of the scratch at which the warning starts. */
const SCRATCH_WARN_SHARE = 0.8;
/** Smallest change of the wall clock that changes the displayed times, ms. */
const LABEL_STEP_MS = 1_000;

/** What doesn't change from the opening to the end. */
export type AccessFacts = Omit<Access, 'exports' | 'scratch' | 'limit' | 'warnings' | 'ended'>;

/** One member volume: an export. */
export interface AccessMember {
  readonly name: string;
  readonly image: SiteImage;
  /** Only for a writable access. */
  readonly scratch?: ScratchDisk | undefined;
  /** Traffic of clients of an earlier process. */
  readonly traffic?: Traffic | undefined;
}

export interface OpenAccessOptions {
  readonly facts: AccessFacts;
  /**
   * How long the access may stay open from now on, ms. After a restart of the appliance: what was
   * left when it was last stored.
   */
  readonly leftMs: number;
  readonly idleMsMax: number;
  readonly members: readonly AccessMember[];
  readonly budget?: ScratchBudget | undefined;
  /** Stores the access's current state. */
  readonly onChange: (access: OpenAccess) => void;
  readonly log: Logger;
}

interface Ending {
  readonly atMs: number;
  readonly why: AccessEnd;
  readonly by?: string | undefined;
  readonly detail?: string | undefined;
}

interface Limit {
  /** Monotonic time. */
  readonly endsAtMs: number;
  readonly why: 'idle' | 'age';
  readonly lengthMs: number;
}

class Member {
  readonly name: string;
  readonly image: SiteImage;
  readonly scratch: ScratchDisk | undefined;
  readonly devices = new Set<ImageDevice>();
  /** Traffic of the clients that have left. */
  #left: Traffic;

  constructor({ name, image, scratch, traffic }: AccessMember) {
    this.name = name;
    this.image = image;
    this.scratch = scratch;
    this.#left = traffic ?? { readBytes: 0, writtenBytes: 0 };
  }

  leave(device: ImageDevice): void {
    this.devices.delete(device);
    this.#left = sumOf([this.#left, device.traffic]);
  }

  get view(): AccessExport {
    const { volume, sizeBytes } = this.image.held;
    const traffic = sumOf([this.#left, ...[...this.devices].map((device) => device.traffic)]);
    return { volume, name: this.name, sizeBytes, connections: this.devices.size, ...traffic };
  }
}

export class OpenAccess {
  readonly #options: OpenAccessOptions;
  readonly #members: ReadonlyMap<VolumeId, Member>;
  readonly #gone = new AbortController();
  readonly #beganAtMs = performance.now();
  #offsetMs = Date.now() - performance.now();
  #idleSinceMs = performance.now();
  #ended: Ending | undefined;
  #ending: Promise<void> | undefined;
  #warned = new Set<string>();
  #onEmpty: (() => void) | undefined;

  constructor(options: OpenAccessOptions) {
    this.#options = options;
    this.#members = new Map(options.members.map((member) => [member.image.held.volume, new Member(member)]));
    // Every connection adds a listener.
    setMaxListeners(0, this.#gone.signal);
  }

  get facts(): AccessFacts {
    return this.#options.facts;
  }

  get images(): readonly SiteImage[] {
    return [...this.#members.values()].map(({ image }) => image);
  }

  get exportNames(): readonly string[] {
    return [...this.#members.values()].map(({ name }) => name);
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** A volume's export for one connection; undefined if the access doesn't have it or has ended. */
  connect(volume: VolumeId, peer: NbdPeer): BlockDevice | undefined {
    const member = this.#members.get(volume);
    if (member === undefined || this.isEnded) return undefined;
    const { facts, log } = this.#options;
    const about = { ...this.#about, export: member.name, volume, peer: peer.address };
    const connectedAtMs = performance.now();
    const device: ImageDevice = new ImageDevice({
      image: member.image,
      description: `volume ${volume} at ${facts.point}, ${facts.writable ? 'with a scratch for writes' : 'read-only'}, access ${facts.id}`,
      scratch: member.scratch,
      shared: true,
      gone: this.#gone.signal,
      onClose: (traffic) => {
        member.leave(device);
        const connectedForMs = Math.round(performance.now() - connectedAtMs);
        log.info({ ...about, ...traffic, connectedForMs }, 'image access: client left');
        this.#left();
      },
    });
    member.devices.add(device);
    log.info(about, 'image access: client connected');
    return device;
  }

  /**
   * Logs a warning for each near limit. @returns the limit that is reached: the access must close
   */
  check(): 'idle' | 'age' | undefined {
    const limit = this.#limit();
    if (performance.now() >= limit.endsAtMs) return limit.why;
    const near = this.#nearby();
    for (const [kind, warning] of near) {
      if (!this.#warned.has(kind)) this.#options.log.warn({ ...this.#about, warning }, 'image access: near a limit');
    }
    this.#warned = new Set(near.keys());
    return undefined;
  }

  view(): Access {
    const { facts, budget } = this.#options;
    const exports = [...this.#members.values()].map((member) => member.view);
    const scratch = budget === undefined ? {} : { scratch: { bytes: budget.bytes, bytesMax: budget.bytesMax } };
    if (this.#ended !== undefined) {
      const { atMs, why, by, detail } = this.#ended;
      const details = { ...(by === undefined ? {} : { by }), ...(detail === undefined ? {} : { detail }) };
      return { ...facts, exports, ...scratch, warnings: [], ended: { atMs, why, ...details } };
    }
    const { endsAtMs, why } = this.#limit();
    return {
      ...facts,
      exports,
      ...scratch,
      limit: { atMs: this.#labelOf(endsAtMs), why },
      warnings: [...this.#nearby().values()],
    };
  }

  get stored(): StoredAccess {
    const { point } = this.facts;
    return {
      access: this.view(),
      expiresAtMs: this.#labelOf(this.#endsAtMs),
      leftMs: Math.max(0, Math.round(this.#endsAtMs - performance.now())),
      images: this.isEnded ? [] : this.images.map((image) => ({ ...image.held, point })),
    };
  }

  /**
   * Ends every connection, closes the images and discards the scratch. Never rejects; a repeated
   * call waits for the same end.
   */
  async end(why: AccessEnd, { by, detail }: Pick<Ending, 'by' | 'detail'> = {}): Promise<void> {
    this.#ended ??= { atMs: Date.now(), why, by, detail };
    this.#ending ??= this.#end(this.#ended);
    await this.#ending;
  }

  async #end(ending: Ending): Promise<void> {
    const { onChange, log } = this.#options;
    // Stored before anything is taken away: a process that dies in between must not restore the
    // access.
    onChange(this);
    this.#gone.abort();
    // The images close first: reads that wait for an unreachable replica site would otherwise keep
    // their connections open.
    await Promise.all(this.images.map((image) => image.close()));
    if (this.#connections > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    for (const { scratch } of this.#members.values()) scratch?.discard();
    onChange(this);
    const traffic = sumOf([...this.#members.values()].map((member) => member.view));
    const { why, by, detail } = ending;
    const fields = {
      ...this.#about,
      why,
      by,
      detail,
      openForMs: Math.round(performance.now() - this.#beganAtMs),
      ...traffic,
    };
    if (why === 'closed') log.info(fields, 'image access ended');
    else log.warn(fields, 'image access ended');
  }

  /** The wall time of an instant, for people. Stable unless the wall clock is set. */
  #labelOf(monotonicMs: number): number {
    const offsetMs = Date.now() - performance.now();
    if (Math.abs(offsetMs - this.#offsetMs) > LABEL_STEP_MS) this.#offsetMs = offsetMs;
    return Math.round(monotonicMs + this.#offsetMs);
  }

  get #connections(): number {
    return [...this.#members.values()].reduce((sum, { devices }) => sum + devices.size, 0);
  }

  #left(): void {
    if (this.#connections === 0) {
      this.#idleSinceMs = performance.now();
      this.#onEmpty?.();
    }
    if (!this.isEnded) this.#options.onChange(this);
  }

  #limit(): Limit {
    const { leftMs, idleMsMax } = this.#options;
    const age: Limit = { endsAtMs: this.#endsAtMs, why: 'age', lengthMs: leftMs };
    const idle: Limit = { endsAtMs: this.#idleSinceMs + idleMsMax, why: 'idle', lengthMs: idleMsMax };
    return this.#connections === 0 && idle.endsAtMs < age.endsAtMs ? idle : age;
  }

  /** When the access expires; monotonic time. */
  get #endsAtMs(): number {
    return this.#beganAtMs + this.#options.leftMs;
  }

  /** Warning sentences, keyed by the limit they are about. */
  #nearby(): ReadonlyMap<string, string> {
    const { facts, budget } = this.#options;
    const near = new Map<string, string>();
    const { endsAtMs, why, lengthMs } = this.#limit();
    if (endsAtMs - performance.now() <= Math.min(WARN_BEFORE_MS, lengthMs * WARN_SHARE)) {
      const because = why === 'age' ? 'its time is up' : 'nobody is connected';
      near.set(
        why,
        `Image access ${facts.id} of ${facts.client} will be closed at ${new Date(this.#labelOf(endsAtMs)).toISOString()}: ${because}.`,
      );
    }
    if (budget !== undefined && budget.bytes >= budget.bytesMax * SCRATCH_WARN_SHARE)
      near.set('scratch', `The scratch of image access ${facts.id} uses ${budget.bytes} of ${budget.bytesMax} bytes.`);
    return near;
  }

  get #about(): Readonly<Record<string, unknown>> {
    const { id, group, point, client, operator, reason, writable } = this.facts;
    return { access: id, group, point, client, operator, reason, writable };
  }
}

function sumOf(all: readonly Traffic[]): Traffic {
  return all.reduce<Traffic>(
    (sum, { readBytes, writtenBytes }) => ({
      readBytes: sum.readBytes + readBytes,
      writtenBytes: sum.writtenBytes + writtenBytes,
    }),
    { readBytes: 0, writtenBytes: 0 },
  );
}
