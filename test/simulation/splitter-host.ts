// The simulation's hypervisor host: the real splitter core over disks, marks and rows in memory. A
// crash loses what was not stored.
import type { WriteMark } from '../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Advice, Confirmed, LifeId } from '../../contracts/lineage.js';
import { MemoryBudget, type SpillFile } from '../../simulator/splitter/core/copies.js';
import { doubtOf, remedyFor, type Meeting } from '../../simulator/splitter/core/doubt.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit, type VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';
import { lifeOf } from '../support/identities.js';
import type { Identities } from './identities.js';
import { BLOCK_BYTES } from './site-host.js';
import type { VirtualTime } from './virtual-time.js';

/** Memory for copies: small, so that every other run overflows to the spill file and to marks. */
const QUEUE_BYTES = 4 * REGION_BYTES;
const SPILL_BYTES = 8 * BLOCK_BYTES;

class SpillMemory implements SpillFile {
  readonly #onUse: () => void;
  #chunks: Buffer[] = [];
  #used = 0;

  constructor(onUse: () => void) {
    this.#onUse = onUse;
  }

  get freeBytes(): number {
    return SPILL_BYTES - this.#used;
  }
  append(data: Buffer): number {
    this.#used += data.length * (BLOCK_BYTES / 4);
    this.#onUse();
    return this.#chunks.push(data) - 1;
  }
  read(at: number, _length: number): Buffer {
    const chunk = this.#chunks[at];
    if (chunk === undefined) throw new Error('nothing was spilled there');
    return chunk;
  }
  reset(): void {
    this.#chunks = [];
    this.#used = 0;
  }
}

export class SplitterHost {
  readonly id: SplitterId;
  readonly #time: VirtualTime;
  readonly #identities: Identities;
  readonly #reaches: (mark: string) => void;
  #rows: Map<VolumeId, VolumeSplitRow>;
  #storedMarks = new Map<VolumeId, Uint8Array>();
  #confirmed = new Map<VolumeId, Confirmed>();
  disks = new Map<VolumeId, Uint32Array>();
  #session = 0;
  #lives: LifeId[] = [];
  core: SplitterCore | undefined;
  /** Whether the disk takes no change of a row. Marks and guests' disks have their room. */
  full = false;
  /**
   * Whether guests wait for the proof of a new disk, and never get a foreign one. Off, the checker
   * must notice.
   */
  provesSources = true;
  readonly #firstRows: readonly VolumeSplitRow[];
  /** The replica at a mark; undefined when it can't be read now. */
  replicaAt: (volume: VolumeId, mark: WriteMark) => Readonly<Uint32Array> | undefined = () => undefined;
  /** The tokens of writes of zeroes, by volume and number: their records carry no data. */
  readonly #zeroes = new Map<string, Uint32Array>();
  /** Volumes with a write under way: a range lock over the whole volume. */
  #writing = new Set<VolumeId>();
  #withheld: { volume: VolumeId; upTo: number; acknowledge: () => void }[] = [];

  constructor(
    id: SplitterId,
    time: VirtualTime,
    rows: readonly VolumeSplitRow[],
    identities: Identities,
    reaches: (mark: string) => void = () => undefined,
  ) {
    this.id = id;
    this.#identities = identities;
    this.#reaches = reaches;
    this.#time = time;
    this.#firstRows = rows;
    this.#rows = new Map(rows.map((row) => [row.volume, row]));
    for (const row of rows) this.disks.set(row.volume, new Uint32Array(row.sizeBytes / BLOCK_BYTES));
    this.start();
  }

  get life(): LifeId {
    return this.#lives.at(-1) ?? lifeOf(0);
  }

  start(): void {
    this.#session += 1;
    this.#lives.push(this.#identities.life());
    const budget = new MemoryBudget(QUEUE_BYTES * 3);
    this.core = new SplitterCore({
      splitter: this.id,
      life: this.life,
      store: (rows) => {
        if (this.full) throw new MoverError('STORAGE_FULL', `the disk of splitter ${this.id} is full`);
        for (const row of rows) this.#rows.set(row.volume, row);
      },
      volumes: [...this.#rows.values()].map(
        (row) =>
          new VolumeSplit({
            row,
            splitter: this.id,
            session: this.#session,
            life: this.life,
            marks: this.#loadMarks(row),
            budget,
            spill: new SpillMemory(() => this.#reaches('a backlog that spilled')),
            queueMaxBytes: QUEUE_BYTES,
            nowMs: this.#time.wallMsOf(this.id),
            beganAtMs: this.#time.monotonicMsOf(this.id),
            startReason: 'splitter restarted',
            confirmed: this.#confirmed.get(row.volume),
          }),
      ),
    });
    if (!this.provesSources) for (const split of this.core.volumes) split.sourceState = 'present';
  }

  #loadMarks({ volume, sizeBytes, comparing }: VolumeSplitRow): Marks {
    const marks = new Marks(sizeBytes, this.#storedMarks.get(volume));
    if (comparing !== undefined) marks.doubtMarked();
    return marks;
  }

  crash(): void {
    this.core = undefined;
    this.#zeroes.clear();
    this.#writing.clear();
    this.#withheld = [];
  }

  /** @throws MoverError UNREACHABLE while it is down */
  call<T>(run: (core: SplitterCore) => T): T {
    if (this.core === undefined) throw new MoverError('UNREACHABLE', `splitter ${this.id} is down`);
    try {
      return run(this.core);
    } finally {
      this.#release();
    }
  }

  storedRows(): ReadonlyMap<VolumeId, VolumeSplitRow> {
    return new Map(this.#rows);
  }

  /** Copies the folder as it is now. */
  snapshot(): SplitterFolder {
    return {
      rows: this.storedRows(),
      marks: new Map([...this.#storedMarks].map(([volume, bits]) => [volume, bits.slice()])),
      confirmed: new Map(this.#confirmed),
      disks: new Map([...this.disks].map(([volume, disk]) => [volume, disk.slice()])),
      session: this.#session,
      lives: [...this.#lives],
    };
  }

  /** Replaces the folder by an older copy. Only while the host is down. */
  putBack({ rows, marks, confirmed, disks, session, lives }: SplitterFolder): void {
    this.#rows = new Map(rows);
    this.#storedMarks = new Map([...marks].map(([volume, bits]) => [volume, bits.slice()]));
    this.#confirmed = new Map(confirmed);
    this.disks = new Map([...disks].map(([volume, disk]) => [volume, disk.slice()]));
    this.#session = session;
    this.#lives = [...lives];
  }

  /** Deletes the folder. Only while the host is down: it then comes up as if new. */
  lose(): void {
    this.#rows = new Map(this.#firstRows.map((row) => [row.volume, { ...row, source: this.#identities.source() }]));
    this.#storedMarks = new Map();
    this.#confirmed = new Map();
    for (const row of this.#firstRows) this.disks.set(row.volume, new Uint32Array(row.sizeBytes / BLOCK_BYTES));
    this.#session = 0;
    this.#lives = [];
  }

  /** The disk as a guest reads it; undefined for an error. */
  readable(volume: VolumeId): Readonly<Uint32Array> | undefined {
    return this.core?.volume(volume).sourceState === 'present' ? this.disks.get(volume) : undefined;
  }

  /**
   * A person has a foreign disk recovered from the replica.
   * @returns whether it was.
   */
  recover(volume: VolumeId, content: () => Uint32Array): boolean {
    const split = this.core?.volume(volume);
    if (split?.sourceState !== 'foreign' || split.row.fence !== undefined || this.full) return false;
    split.doubt('recovered', this.#time.wallMsOf(this.id));
    this.storeMarks(volume);
    this.disks.set(volume, content());
    this.call((core) => core.changeRows([volume], (each) => each.replaceSource(this.#identities.source())));
    split.sourceState = 'present';
    split.detached();
    return true;
  }

  /** Handles an attach that the replica site accepted. */
  attached(volume: VolumeId, meeting: Meeting & { readonly n: number }, compares: boolean): void {
    const split = this.core?.volume(volume);
    if (split === undefined) return;
    if (compares) {
      const reason = doubtOf(split, meeting, (life) => this.#lives.includes(life));
      if (reason !== undefined) split.doubt(reason, this.#time.wallMsOf(this.id));
      this.storeMarks(volume);
    }
    split.attached(meeting);
    if (meeting.initializing === true) split.initializeAgain(this.#time.wallMsOf(this.id));
    if (split.isProofUnstored) this.#changeRow(volume, (each) => each.sourceKnown());
    if (split.sourceState === 'unproven') split.sourceState = 'present';
  }

  /** What can't be stored now is found again. */
  #changeRow(volume: VolumeId, change: (split: VolumeSplit) => void): void {
    if (!this.full) this.call((core) => core.changeRows([volume], change));
  }

  /** Handles a refused attach. */
  refused(
    volume: VolumeId,
    { code, advice }: { readonly code: ErrorCode; readonly advice?: Advice },
    endpointOf: (owner: Owner) => VolumeSplitRow['route'],
  ): void {
    const split = this.core?.volume(volume);
    if (code === 'FOREIGN_SOURCE' && split !== undefined) {
      if (this.provesSources) this.#changeRow(volume, (each) => each.refuseSource('foreign'));
      split.sourceState = 'foreign';
      return;
    }
    const remedy = split === undefined || advice === undefined ? undefined : remedyFor(split, advice);
    if (split === undefined || remedy === undefined) return;
    if (remedy.kind === 'reroute') {
      const { owner } = remedy;
      this.call((core) => core.reroute(volume, endpointOf(owner)));
      return;
    }
    this.#session = Math.max(this.#session + 1, remedy.sessionMin);
    if (remedy.kind === 'renumber') split.renumber(this.#session);
    else {
      split.startOver(this.#session, remedy.lineage, 'forked', this.#time.wallMsOf(this.id));
      this.storeMarks(volume);
      this.#confirmed.set(volume, remedy.lineage);
    }
  }

  /** Stores the confirmed position before marks that rest on it are cleared. */
  sweep(volume: VolumeId): void {
    const split = this.core?.volume(volume);
    if (split === undefined || this.full) return;
    if (split.confirmed !== undefined) this.#confirmed.set(volume, split.confirmed);
    split.marks.clearSettled();
    this.storeMarks(volume);
  }

  isMarked(volume: VolumeId, block: number): boolean {
    const region = Math.floor((block * BLOCK_BYTES) / REGION_BYTES);
    return ((this.#storedMarks.get(volume)?.[region >> 3] ?? 0) & (1 << (region & 7))) !== 0;
  }

  #storeMarks(volume: VolumeId, marks: Marks): void {
    const stored = this.#storedMarks.get(volume);
    const bytes = marks.bytes(0, marks.byteLength);
    if (stored === undefined) this.#storedMarks.set(volume, bytes.slice());
    else stored.set(bytes);
  }

  storeMarks(volume: VolumeId): void {
    const marks = this.core?.volume(volume).marks;
    if (marks !== undefined) this.#storeMarks(volume, marks);
  }

  /** The tokens of a write of zeroes. */
  zeroesOf(volume: VolumeId, n: number): Uint32Array {
    return this.#zeroes.get(`${volume} ${n}`) ?? new Uint32Array();
  }

  /**
   * A guest write in the three steps between which a crash can fall: marked, written, numbered.
   * `over` hears whether it was acknowledged; nothing, if the host crashes while it is withheld. A
   * write that fails may have reached the source all the same.
   */
  write(
    { volume, block, tokens, zeroes }: WriteRequest,
    fails: boolean,
    pause: (then: () => void) => void,
    over: (isAcknowledged: boolean) => void,
  ): void {
    const { core } = this;
    const split = core?.volume(volume);
    if (core === undefined || split?.sourceState !== 'present') {
      over(false);
      return;
    }
    const offset = block * BLOCK_BYTES;
    const length = tokens.length * BLOCK_BYTES;
    const unlessCrashed = (step: () => void) => (): void => {
      if (this.core === core) step();
      else over(false);
    };
    const reach = (): void => {
      const reachesSource = !fails || (tokens[0] ?? 0) % 2 === 0;
      if (reachesSource) this.disks.get(volume)?.set(tokens, block);
      pause(unlessCrashed(number));
    };
    const number = (): void => {
      this.#writing.delete(volume);
      const wallMs = this.#time.wallMsOf(this.id);
      if (fails) {
        this.#reaches('a write failed at the source');
        split.fail(offset, length, wallMs);
        over(false);
        return;
      }
      const { isSynced } = split;
      const done = split.complete(
        zeroes ? { kind: 'zeroes', offset, length } : { kind: 'write', offset, length, data: bytesOf(tokens) },
        wallMs,
      );
      if (zeroes && done.kind === 'numbered') {
        this.#reaches('zeroes');
        this.#zeroes.set(`${volume} ${done.n}`, tokens);
      }
      if (done.kind === 'marked' && isSynced) this.#reaches('a queue that overflowed');
      pause(unlessCrashed(acknowledge));
    };
    const acknowledge = (): void => {
      const upTo = core.holds.raised;
      if (core.holds.isHeld(volume, upTo)) this.#withheld.push({ volume, upTo, acknowledge: () => over(true) });
      else over(true);
    };
    this.#writing.add(volume);
    split.begin(offset, length);
    this.#storeMarks(volume, split.marks);
    pause(unlessCrashed(reach));
  }

  /** Compares a doubted region with the replica at the start of the short initialization. */
  #compareOne(split: VolumeSplit): void {
    const { marks, initializationMark: mark, volume } = split;
    const region = marks.nextDoubted(0);
    if (region === undefined || mark === undefined) return;
    const content = this.replicaAt(volume, mark);
    if (content === undefined) return;
    const blocks = REGION_BYTES / BLOCK_BYTES;
    const from = region * blocks;
    const disk = this.disks.get(volume);
    const isSame = Array.from({ length: blocks }, (_, i) => from + i).every((at) => disk?.[at] === content[at]);
    marks.compared(region, isSame);
  }

  #release(): void {
    const { core } = this;
    if (core === undefined) return;
    if (this.#withheld.length === 0) return;
    const still = this.#withheld.filter((entry) => core.holds.isHeld(entry.volume, entry.upTo));
    const free = this.#withheld.filter((entry) => !still.includes(entry));
    this.#withheld = still;
    // The guest hears of it once this call is over.
    for (const { acknowledge } of free) void Promise.resolve().then(acknowledge);
    this.#time.stir();
  }

  /**
   * Sends one region of a short initialization: read and queued at one instant.
   * @returns whether a short initialization is under way
   */
  resendOne(volume: VolumeId): boolean {
    const split = this.core?.volume(volume);
    if (split === undefined || this.#writing.has(volume) || !split.initialize(this.#time.wallMsOf(this.id)))
      return false;
    if (split.isComparisonUnstored) this.#changeRow(volume, (each) => each.keepComparison());
    const next = split.nextResend();
    if (next === undefined) this.#compareOne(split);
    else {
      const disk = this.disks.get(volume);
      const from = next.offset / BLOCK_BYTES;
      const tokens = disk?.slice(from, from + next.length / BLOCK_BYTES) ?? new Uint32Array();
      split.resent(next.region, { kind: 'write', data: bytesOf(tokens) }, this.#time.wallMsOf(this.id));
    }
    split.finishInitialization(this.#time.wallMsOf(this.id));
    return true;
  }
}

/** What a guest writes. */
export interface WriteRequest {
  readonly volume: VolumeId;
  readonly block: number;
  readonly tokens: Uint32Array;
  /** Whether it is a request to write zeroes. Each has its token all the same. */
  readonly zeroes: boolean;
}

/** A folder's whole content. */
export interface SplitterFolder {
  readonly rows: ReadonlyMap<VolumeId, VolumeSplitRow>;
  readonly marks: ReadonlyMap<VolumeId, Uint8Array>;
  readonly confirmed: ReadonlyMap<VolumeId, Confirmed>;
  readonly disks: ReadonlyMap<VolumeId, Uint32Array>;
  readonly session: number;
  readonly lives: readonly LifeId[];
}

type Owner = NonNullable<Advice['owner']>;

function bytesOf(tokens: Uint32Array): Buffer {
  return Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
}

/** The tokens in a copy's data: each block's content is the 4-byte number of its write. */
export function tokensOf(data: Buffer): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length / 4);
}
