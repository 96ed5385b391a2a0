// A hypervisor host as a machine: the real splitter core with stored rows, stored marks and disks
// of one block a volume. A crash loses what was not stored.
import type { Endpoint } from '../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import type { Advice, Confirmed, LifeId } from '../../contracts/lineage.js';
import type { OutputOf, ParsedInputOf } from '../../contracts/route.js';
import type { splitterApi } from '../../contracts/splitter-api.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { doubtOf, remedyFor, type Meeting } from '../../simulator/splitter/core/doubt.js';
import { Marks, REGION_BYTES } from '../../simulator/splitter/core/marks.js';
import { type AskedVerdict, type PendingVerdict, SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit, type VolumeSplitRow } from '../../simulator/splitter/core/volume-split.js';
import { lifeOf } from '../support/identities.js';
import { NO_SPILL } from '../support/spill-files.js';
import type { Part } from './search/machine.js';

type Api = typeof splitterApi;

/** Length of a guest's write, in bytes: all go to one block of the volume's only region. */
const WRITE_BYTES = 4_096;
/** Time stands still, in ms. A lease or a hold runs out when the search says so. */
export const NOW_MS = 1_000;
/** A time at which holds are over and leases are not, and one at which both are. */
const HOLDS_OVER_MS = 100_000;
const LEASES_OVER_MS = 100_000_000;
/** A lease that ends between these two times. */
export const LEASE_MS = 10_000_000;
const NOW = { monotonicMs: NOW_MS, wallMs: NOW_MS };

/** A record on its way to the replica site. */
export interface Frame {
  readonly key: string;
  readonly volume: VolumeId;
  readonly kind: 'write' | 'initBegin' | 'initEnd';
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  /** The content of the volume's block. */
  readonly token: number;
}

/** What the host is given. `call`s are control calls; the rest is the host's own doing. */
export type SplitterInput = { readonly key: string } & (
  | { readonly do: 'mark' | 'detach' | 'send' | 'resend'; readonly volume: VolumeId }
  | { readonly do: 'source' | 'number'; readonly volume: VolumeId; readonly token: number }
  | { readonly do: 'receipt'; readonly volume: VolumeId; readonly session: number; readonly n: number }
  | { readonly do: 'attached'; readonly volume: VolumeId; readonly meeting: Meeting & { readonly n: number } }
  | { readonly do: 'refused'; readonly volume: VolumeId; readonly code: ErrorCode; readonly advice: Advice | undefined }
  | { readonly do: 'holdsEnd' | 'leasesEnd' | 'crash' }
  | { readonly do: 'cut'; readonly input: ParsedInputOf<Api['cut']> }
  | { readonly do: 'notify'; readonly input: ParsedInputOf<Api['notify']> }
  | { readonly do: 'fence'; readonly input: ParsedInputOf<Api['fence']> }
  | { readonly do: 'confirm'; readonly input: ParsedInputOf<Api['confirm']> }
  | { readonly do: 'learn'; readonly input: ParsedInputOf<Api['learn']> }
  | { readonly do: 'verdict'; readonly pending: PendingVerdict; readonly verdict: AskedVerdict }
);

export type SplitterOutput =
  | { readonly kind: 'done' }
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  | { readonly kind: 'fenced'; readonly answer: OutputOf<Api['fence']> }
  | { readonly kind: 'held'; readonly held: boolean }
  | { readonly kind: 'pending'; readonly pending: readonly PendingVerdict[] }
  | { readonly kind: 'cuts'; readonly answer: OutputOf<Api['cut']> };

const DONE: SplitterOutput = { kind: 'done' };

export interface VolumeView {
  /** What the guest's disk holds. */
  readonly source: number;
  /** Whether a mark is stored. */
  readonly isMarked: boolean;
  /** Whether nothing is marked, dirty or under way. */
  readonly isClean: boolean;
  readonly isConnected: boolean;
  readonly isSynced: boolean;
  readonly isHeld: boolean;
  /** Whether the cut may never be drained. */
  readonly isVoid: boolean;
  readonly isDirty: boolean;
  readonly lastN: number;
  /** Whether nothing numbered waits for a receipt. */
  readonly isDrained: boolean;
  readonly maySend: boolean;
  /** Whether a short initialization could do something now. */
  readonly mayResend: boolean;
  readonly row: VolumeSplitRow;
  readonly claim: Claim;
  readonly claimKey: string;
}

export interface SplitterView {
  readonly volumes: ReadonlyMap<VolumeId, VolumeView>;
  readonly announced: readonly PendingVerdict[];
  readonly isFenced: boolean;
  readonly isHeld: boolean;
}

export interface SplitterPartOptions {
  readonly splitter: SplitterId;
  /** A number that keeps the lives of hosts apart. */
  readonly lives: number;
  readonly rows: readonly VolumeSplitRow[];
  /** Memory of a volume's queue, in bytes. */
  readonly queueBytes: number;
  readonly endpointOf: (owner: NonNullable<Advice['owner']>) => Endpoint & { readonly epoch: number };
}

export class SplitterPart implements Part<SplitterInput, SplitterOutput, SplitterView> {
  readonly #options: SplitterPartOptions;
  readonly #rows = new Map<VolumeId, VolumeSplitRow>();
  readonly #marks = new Map<VolumeId, Uint8Array>();
  readonly #confirmed = new Map<VolumeId, Confirmed>();
  readonly #disks = new Map<VolumeId, number>();
  readonly #writing = new Set<VolumeId>();
  readonly #lives: LifeId[] = [];
  #session = 0;
  #core: SplitterCore;

  constructor(options: SplitterPartOptions) {
    this.#options = options;
    for (const row of options.rows) this.#rows.set(row.volume, row);
    this.#core = this.#start();
  }

  get whole(): unknown {
    const stored = [this.#rows, this.#marks, this.#confirmed, this.#disks, this.#session, this.#lives];
    return [this.#core, this.#writing, ...stored];
  }

  get #life(): LifeId {
    return this.#lives.at(-1) ?? lifeOf(0);
  }

  #start(): SplitterCore {
    this.#session += 1;
    this.#lives.push(lifeOf(this.#options.lives + this.#session));
    this.#writing.clear();
    const budget = new MemoryBudget(REGION_BYTES * 16);
    const { splitter, queueBytes } = this.#options;
    return new SplitterCore({
      splitter,
      life: this.#life,
      store: (rows) => {
        for (const row of rows) this.#rows.set(row.volume, row);
      },
      volumes: [...this.#rows.values()].map((row) => {
        const marks = new Marks(row.sizeBytes, this.#marks.get(row.volume)?.slice());
        if (row.comparing !== undefined) marks.doubtMarked();
        return new VolumeSplit({
          row,
          splitter,
          session: this.#session,
          life: this.#life,
          marks,
          budget,
          spill: NO_SPILL,
          queueMaxBytes: queueBytes,
          nowMs: NOW_MS,
          beganAtMs: NOW_MS,
          startReason: 'splitter restarted',
          confirmed: this.#confirmed.get(row.volume),
        });
      }),
    });
  }

  /** A refused call changes what the core says it changes, and no more. */
  apply(input: SplitterInput): SplitterOutput {
    try {
      return this.#do(input);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      return { kind: 'refused', code: error.code };
    }
  }

  #do(input: SplitterInput): SplitterOutput {
    const core = this.#core;
    switch (input.do) {
      case 'mark':
        this.#writing.add(input.volume);
        core.volume(input.volume).begin(0, WRITE_BYTES);
        this.#storeMarks(input.volume);
        return DONE;
      case 'source':
        this.#disks.set(input.volume, input.token);
        return DONE;
      case 'number':
        this.#number(input.volume, input.token);
        return DONE;
      case 'detach':
        core.volume(input.volume).detached();
        return DONE;
      case 'attached':
        this.#attached(input.volume, input.meeting);
        return DONE;
      case 'refused':
        this.#refused(input.volume, input.advice);
        return DONE;
      case 'send':
        return this.#send(input.volume);
      case 'receipt':
        if (core.volume(input.volume).session === input.session) core.volume(input.volume).receipt(input.n);
        this.#sweep(input.volume);
        return DONE;
      case 'resend':
        this.#resend(input.volume);
        return DONE;
      case 'crash':
        this.#core = this.#start();
        return DONE;
      case 'holdsEnd':
        core.tick(HOLDS_OVER_MS);
        return DONE;
      case 'leasesEnd':
        return { kind: 'pending', pending: core.tick(LEASES_OVER_MS) };
      case 'cut':
        return { kind: 'cuts', answer: core.cut(input.input, NOW) };
      case 'notify':
        core.notify(input.input);
        return DONE;
      case 'fence':
        return { kind: 'fenced', answer: core.fence(input.input, NOW) };
      case 'confirm':
        return { kind: 'held', held: core.confirm(input.input, NOW_MS).held };
      case 'learn':
        core.learn(input.input, NOW_MS);
        return DONE;
      case 'verdict':
        core.learnPending(input.pending, input.verdict, NOW_MS);
        return DONE;
    }
  }

  #storeMarks(volume: VolumeId): void {
    const { marks } = this.#core.volume(volume);
    this.#marks.set(volume, marks.bytes(0, marks.byteLength).slice());
  }

  #number(volume: VolumeId, token: number): void {
    this.#core
      .volume(volume)
      .complete({ kind: 'write', offset: 0, length: WRITE_BYTES, data: Buffer.from([token]) }, NOW_MS);
    this.#writing.delete(volume);
  }

  /** Compares and decides as the shell does at a session's first attachment. */
  #attached(volume: VolumeId, meeting: Meeting & { readonly n: number }): void {
    const core = this.#core;
    const split = core.volume(volume);
    if (split.isNewSession) {
      const reason = doubtOf(split, meeting, (life) => this.#lives.includes(life));
      if (reason !== undefined) split.doubt(reason, NOW_MS);
      this.#storeMarks(volume);
    }
    split.attached(meeting);
    if (meeting.initializing === true) split.initializeAgain(NOW_MS);
    if (split.isProofUnstored) core.changeRows([volume], (each) => each.sourceKnown());
    if (split.sourceState === 'unproven') split.sourceState = 'present';
    this.#sweep(volume);
  }

  #refused(volume: VolumeId, advice: Advice | undefined): void {
    const split = this.#core.volume(volume);
    const remedy = advice === undefined ? undefined : remedyFor(split, advice);
    if (remedy === undefined) return;
    if (remedy.kind === 'reroute') {
      this.#core.reroute(volume, this.#options.endpointOf(remedy.owner));
      return;
    }
    this.#session = Math.max(this.#session + 1, remedy.sessionMin);
    if (remedy.kind === 'renumber') split.renumber(this.#session);
    else {
      split.startOver(this.#session, remedy.lineage, 'forked', NOW_MS);
      this.#storeMarks(volume);
      this.#confirmed.set(volume, remedy.lineage);
    }
  }

  #send(volume: VolumeId): SplitterOutput {
    const split = this.#core.volume(volume);
    const copy = split.peek();
    if (copy === undefined) return DONE;
    split.advance();
    if (copy.kind === 'zeroes') throw new Error('nothing here writes zeroes');
    const isWrite = copy.kind === 'write';
    const { session, row } = split;
    const { epoch } = row.route;
    const token = isWrite ? (split.dataOf(copy)[0] ?? 0) : 0;
    const key = `${volume} ${session}.${copy.n} ${copy.kind} ${token} at ${epoch}`;
    return { kind: 'frame', frame: { key, volume, kind: copy.kind, session, n: copy.n, epoch, token } };
  }

  /** Stores the confirmed position before marks that rest on it are cleared. */
  #sweep(volume: VolumeId): void {
    const split = this.#core.volume(volume);
    if (split.confirmed !== undefined) this.#confirmed.set(volume, split.confirmed);
    split.marks.clearSettled();
    this.#storeMarks(volume);
  }

  #resend(volume: VolumeId): void {
    const split = this.#core.volume(volume);
    if (this.#writing.has(volume) || !split.initialize(NOW_MS)) return;
    if (split.isComparisonUnstored) this.#core.changeRows([volume], (each) => each.keepComparison());
    const next = split.nextResend();
    if (next !== undefined)
      split.resent(next.region, { kind: 'write', data: Buffer.from([this.#disks.get(volume) ?? 0]) }, NOW_MS);
    split.finishInitialization(NOW_MS);
  }

  view(): SplitterView {
    const core = this.#core;
    const volumes = [...core.volumes].map((split): [VolumeId, VolumeView] => {
      const { volume, row } = split;
      const isIdle = !this.#writing.has(volume);
      const claim: Claim = { ...split.claim(), life: this.#life, sizeBytes: row.sizeBytes };
      return [
        volume,
        {
          source: this.#disks.get(volume) ?? 0,
          isMarked: (this.#marks.get(volume)?.[0] ?? 0) !== 0,
          isClean: split.marks.marked === 0 && split.allConfirmed && isIdle,
          isConnected: split.connected,
          isSynced: split.isSynced,
          isHeld: core.holds.isHeld(volume),
          isVoid: split.fenceVoid,
          isDirty: split.marks.dirty > 0,
          lastN: split.lastN,
          isDrained: split.allConfirmed,
          maySend: split.peek() !== undefined,
          mayResend: !split.isSynced && split.connected && row.fence === undefined && isIdle,
          row,
          claim,
          claimKey: `attach ${volume} ${JSON.stringify(claim)}`,
        },
      ];
    });
    return {
      volumes: new Map(volumes),
      announced: core.announced(),
      isFenced: volumes.some(([, { row }]) => row.fence !== undefined),
      isHeld: volumes.some(([, { isHeld }]) => isHeld),
    };
  }
}
