// The simulation's replica site: the real core over lineages in memory. A crash loses what was not
// stored.
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { LineageId } from '../../contracts/lineage.js';
import { beginOwnership } from '../../simulator/replica-site/core/owners.js';
import type { VolumeRow, GroupRow, Lineages } from '../../simulator/replica-site/core/rows.js';
import {
  attach,
  forkLineage,
  hear,
  type Attachment,
  type Claim,
  type Refusal,
} from '../../simulator/replica-site/core/attach.js';
import { mendHoles, beginHole, endHole, admit } from '../../simulator/replica-site/core/records.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES, type SiteRows } from '../../simulator/replica-site/core/state.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { regionRuns, type RegionRun } from '../../simulator/replica-site/intake/region-runs.js';
import {
  isOpenable,
  narrowed,
  oldest,
  type Retained,
} from '../../simulator/replica-site/journal/terms/retained-positions.js';
import type { RetainedJournal } from '../../simulator/replica-site/retention-rounds.js';
import type { Copy } from '../../simulator/splitter/core/copies.js';
import type { Identities } from './identities.js';

/** A record on its way, and stored. */
export interface Frame {
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  readonly copy: Copy;
  /** What it writes. */
  readonly tokens?: Uint32Array | undefined;
}

/**
 * Bytes of a simulated block. Its content is a token: the number of the write that last reached it.
 */
export const BLOCK_BYTES = 4_096;

class Lineage {
  id: LineageId;
  readonly records: Frame[] = [];
  /** Records that have arrived and are not durable yet: a crash loses them. */
  pending: Frame[] = [];
  /** Positions that can be opened. */
  retained: Retained = { positions: [], everyFrom: 0 };
  readonly bases = new Map<number, number>();
  applied = 0;

  constructor(id: LineageId) {
    this.id = id;
  }

  copy(): Lineage {
    const copy = new Lineage(this.id);
    copy.records.push(...this.records);
    for (const [session, base] of this.bases) copy.bases.set(session, base);
    copy.applied = this.applied;
    copy.retained = this.retained;
    return copy;
  }
}

/** Zeroes have tokens too, so that they can be told from a write that was lost. */
function apply(frame: Frame | undefined, content: Uint32Array): void {
  if (frame?.tokens !== undefined && (frame.copy.kind === 'write' || frame.copy.kind === 'zeroes'))
    content.set(frame.tokens, frame.copy.offset / BLOCK_BYTES);
}

/** A folder's whole content. */
export interface SiteFolder {
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly lineages: ReadonlyMap<VolumeId, Lineage>;
}

export class SiteHost implements Lineages {
  readonly #stored = new Map<string, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));
  readonly #lineages = new Map<VolumeId, Lineage>();
  readonly #contents = new Map<VolumeId, { readonly position: number; readonly content: Uint32Array }>();
  readonly #identities: Identities;
  /** The newest write up to each position, by volume, as far as it was asked for. */
  readonly #newest = new Map<VolumeId, number[]>();
  #lives = 0;
  /** Count of the changes of the rows, and of the loads of other ones. */
  version = 0;
  state: SiteState;
  up = true;
  /** Whether the disk is full: it takes no change of a row, and no record. */
  full = false;
  /** How often a start found holes that speak of records which were lost. */
  mended = 0;
  /** How often the two ends disagreed about what is there. */
  forks = 0;

  constructor(groups: readonly GroupRow[], volumes: readonly VolumeRow[], identities: Identities) {
    this.#identities = identities;
    for (const group of groups) this.#stored.get('groups')?.set(group.group, group);
    for (const volume of volumes) this.#stored.get('volumes')?.set(volume.volume, volume);
    this.state = this.#load();
    this.call((state) => {
      for (const volume of volumes) beginOwnership(state, volume, { position: 0, atMs: 0 });
    });
  }

  #load(): SiteState {
    const rows = { ...EMPTY_SITE };
    this.version += 1;
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: [...(this.#stored.get(name) ?? [])] });
    const state = new SiteState(rows satisfies SiteRows, this);
    mendHoles(state);
    if (state.changes().some(({ table }) => table === 'holes')) this.mended += 1;
    return state;
  }

  crash(): void {
    this.up = false;
    for (const lineage of this.#lineages.values()) lineage.pending = [];
  }

  /**
   * Makes what has arrived of a volume durable.
   * @returns its last durable record
   */
  sync(volume: VolumeId): ReturnType<SiteHost['durable']> {
    const lineage = this.#of(volume);
    for (const record of lineage.pending.splice(0)) {
      if (!lineage.bases.has(record.session)) lineage.bases.set(record.session, lineage.records.length);
      lineage.records.push(record);
    }
    return this.durable(volume);
  }

  /** The records of a volume's lineage, oldest first. */
  recordsOf(volume: VolumeId): readonly Frame[] {
    return this.#of(volume).records;
  }

  /** The newest of the guest's writes up to a position. */
  newestToken(volume: VolumeId, position: number): number {
    const { records } = this.#of(volume);
    const newest = this.#newest.get(volume) ?? [0];
    for (let at = newest.length; at <= position; at += 1) {
      let token = newest[at - 1] ?? 0;
      for (const held of records[at - 1]?.tokens ?? []) token = Math.max(token, held);
      newest.push(token);
    }
    this.#newest.set(volume, newest);
    return newest[position] ?? 0;
  }

  isOpenable(volume: VolumeId, position: number): boolean {
    return isOpenable(this.#of(volume).retained, position);
  }

  /** The volume's journal, as retention sees it. */
  journal(volume: VolumeId): RetainedJournal {
    const lineageOf = (): Lineage => this.#of(volume);
    const costAfter = (position: number, next: number): number => Math.max(0, next - position) * BLOCK_BYTES;
    return {
      failure: undefined,
      get applied() {
        return { position: lineageOf().applied, session: 0, n: 0 };
      },
      get trimPosition() {
        return oldest(lineageOf().retained);
      },
      retain: async (asked) => {
        const lineage = lineageOf();
        const before = lineage.retained;
        lineage.retained = narrowed(before, asked, lineage.applied);
        const freedBytes = Math.max(0, lineage.retained.everyFrom - before.everyFrom) * BLOCK_BYTES;
        return { freedBytes, trimPosition: oldest(lineage.retained), done: true };
      },
      undoBytesAfter: async (positions) =>
        positions.map((position, i) => costAfter(position, positions[i + 1] ?? lineageOf().applied)),
    };
  }

  /** @param nowMs by the monotonic clock */
  restart(nowMs: number): void {
    this.up = true;
    this.state = this.#load();
    this.#lives += 1;
    this.state.beginLife({ number: this.#lives, beganAtMs: nowMs });
    // The next start finds the same: it need not be stored now.
    if (this.full) this.state.settle();
    else this.#commit();
  }

  /** Copies the stored rows, by table. */
  storedRows(): Map<string, ReadonlyMap<string, unknown>> {
    return new Map([...this.#stored].map(([table, rows]) => [table, new Map(rows)]));
  }

  /** Copies the site's folder as it is now. */
  snapshot(): SiteFolder {
    return {
      rows: this.storedRows(),
      lineages: new Map([...this.#lineages].map(([volume, lineage]) => [volume, lineage.copy()])),
    };
  }

  /** Replaces the folder by an older copy. Only while the site is down. */
  putBack({ rows, lineages }: SiteFolder): void {
    for (const [table, content] of rows) this.#stored.set(table, new Map(content));
    this.#lineages.clear();
    for (const [volume, lineage] of lineages) this.#lineages.set(volume, lineage.copy());
    this.#contents.clear();
    this.#newest.clear();
  }

  /**
   * Runs a change as one transaction. A full disk leaves everything unchanged.
   * @throws MoverError STORAGE_FULL
   */
  #commit(): void {
    const changes = this.state.changes();
    if (changes.length === 0) return;
    if (this.full) {
      this.state.undo();
      throw new MoverError('STORAGE_FULL', 'the disk of the replica site is full');
    }
    this.version += 1;
    for (const change of changes) {
      const table = this.#stored.get(change.table);
      if (change.value === undefined) table?.delete(change.key);
      else table?.set(change.key, change.value);
    }
    this.state.settle();
  }

  /** Runs one control call: one core function, one transaction. */
  call<T>(run: (state: SiteState) => T): T {
    if (!this.up) throw new MoverError('UNREACHABLE', 'the replica site is down');
    let answer: T;
    try {
      answer = run(this.state);
    } catch (error) {
      this.#commit();
      throw error;
    }
    this.#commit();
    return answer;
  }

  /** Learns what a claim says before it decides, as the shell does. */
  attach(
    volume: VolumeId,
    claim: Claim,
    now: SiteMoment,
    compares: boolean,
  ): (Attachment & { readonly touched: RegionRun[] }) | Refusal {
    // A new session begins where all that earlier ones sent is durable.
    this.sync(volume);
    return this.call((state) => {
      if (!compares) return { ...attach(state, volume, claim), touched: [] };
      const heard = hear(state, volume, claim, now);
      if (heard.kind === 'refuse') return heard;
      if (heard.kind === 'fork') {
        this.#of(volume).id = this.#identities.lineage();
        this.forks += 1;
        return forkLineage(state, volume, heard.reason, now);
      }
      const changed = this.#of(volume)
        .records.slice(claim.confirmed?.position ?? 0)
        .flatMap(({ copy }) => (copy.kind === 'write' || copy.kind === 'zeroes' ? [copy] : []));
      return { ...attach(state, volume, claim), touched: heard.kind === 'newSession' ? regionRuns(changed) : [] };
    });
  }

  /** @returns the answer for the stream. What was taken is durable only after `sync`. */
  receive(volume: VolumeId, frame: Frame): { kind: 'taken' } | { kind: 'refused'; code: string } {
    if (this.full) return { kind: 'refused', code: 'STORAGE_FULL' };
    return this.call((state) => {
      const admission = admit(state, volume, frame);
      if (admission.kind === 'refuse') return { kind: 'refused', code: admission.code };
      if (admission.kind === 'append') {
        const lineage = this.#of(volume);
        const position = lineage.records.length + lineage.pending.length + 1;
        const { copy } = frame;
        if (copy.kind === 'initBegin')
          beginHole(state, volume, { fromPosition: position, sinceMs: copy.sinceMs, reason: copy.reason });
        if (copy.kind === 'initEnd') endHole(state, volume, position, copy.timeMs);
        this.#commit();
        lineage.pending.push(frame);
      }
      return { kind: 'taken' };
    });
  }

  soundPosition(volume: VolumeId, position: number): number {
    return Math.min(position, this.durable(volume).position);
  }

  lineage(volume: VolumeId): LineageId {
    return this.#of(volume).id;
  }

  #of(volume: VolumeId): Lineage {
    const known = this.#lineages.get(volume);
    if (known !== undefined) return known;
    const fresh = new Lineage(this.#identities.lineage());
    this.#lineages.set(volume, fresh);
    return fresh;
  }

  durable(volume: VolumeId): { position: number; session: number; n: number; timeMs: number } {
    const { records } = this.#of(volume);
    const last = records.at(-1);
    return { position: records.length, session: last?.session ?? 0, n: last?.n ?? 0, timeMs: last?.copy.timeMs ?? 0 };
  }

  appliedPosition(volume: VolumeId): number {
    return this.#of(volume).applied;
  }

  undistributedBytes(volume: VolumeId): number {
    const { records, applied } = this.#of(volume);
    return (records.length - applied) * BLOCK_BYTES;
  }

  sessionBase(volume: VolumeId, session: number): number | undefined {
    return this.#of(volume).bases.get(session);
  }

  /** Advances distribution a little. @returns whether there was anything to apply */
  distribute(steps: number): boolean {
    let isBusy = false;
    for (const lineage of this.up ? this.#lineages.values() : []) {
      if (lineage.applied < lineage.records.length) isBusy = true;
      lineage.applied = Math.min(lineage.records.length, lineage.applied + steps);
    }
    return isBusy;
  }

  /**
   * A volume's content at a position: every record up to it, in order. Continues from the last
   * answer where possible, and takes it over: an answer holds until the volume's next one.
   */
  contentAt(volume: VolumeId, position: number, blocks: number): Readonly<Uint32Array> {
    const { records } = this.#of(volume);
    const cached = this.#contents.get(volume);
    const known =
      cached !== undefined && cached.position <= position ? cached : { position: 0, content: new Uint32Array(blocks) };
    for (let i = known.position; i < position; i += 1) apply(records[i], known.content);
    if (cached !== known || cached.position !== position)
      this.#contents.set(volume, { position, content: known.content });
    return known.content;
  }
}
