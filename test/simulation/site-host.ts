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
import type { Copy } from '../../simulator/splitter/core/copies.js';
import type { Identities } from './identities.js';

export type Frame = Copy & { readonly session: number; readonly epoch: number; readonly tokens?: Uint32Array };

interface StoredRecord {
  readonly session: number;
  readonly frame: Frame;
}

/**
 * Bytes of a token, the content of a simulated block: the number of the write that last reached it.
 */
export const BLOCK_BYTES = 4_096;

class Lineage {
  id: LineageId;
  readonly records: StoredRecord[] = [];
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
    return copy;
  }
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
  #lives = 0;
  state: SiteState;
  up = true;
  /** Whether the disk is full: it takes no change of a row, and no record. */
  full = false;
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
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: [...(this.#stored.get(name) ?? [])] });
    const state = new SiteState(rows satisfies SiteRows, this);
    mendHoles(state);
    return state;
  }

  crash(): void {
    this.up = false;
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

  /** Copies the site's folder as it is now. */
  snapshot(): SiteFolder {
    return {
      rows: new Map([...this.#stored].map(([table, rows]) => [table, new Map(rows)])),
      lineages: new Map([...this.#lineages].map(([volume, lineage]) => [volume, lineage.copy()])),
    };
  }

  /** Replaces the folder by an older copy. Only while the site is down. */
  putBack({ rows, lineages }: SiteFolder): void {
    for (const [table, content] of rows) this.#stored.set(table, new Map(content));
    this.#lineages.clear();
    for (const [volume, lineage] of lineages) this.#lineages.set(volume, lineage.copy());
    this.#contents.clear();
  }

  /**
   * Runs a change as one transaction. A full disk leaves everything unchanged.
   * @throws MoverError STORAGE_FULL
   */
  #commit(): void {
    const changes = this.state.changes();
    if (this.full && changes.length > 0) {
      this.state.undo();
      throw new MoverError('STORAGE_FULL', 'the disk of the replica site is full');
    }
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
        .flatMap(({ frame }) => (frame.kind === 'write' || frame.kind === 'zeroes' ? [frame] : []));
      return { ...attach(state, volume, claim), touched: heard.kind === 'newSession' ? regionRuns(changed) : [] };
    });
  }

  /** @returns the answer for the stream. */
  receive(
    volume: VolumeId,
    frame: Frame,
  ): { kind: 'receipt'; session: number; n: number } | { kind: 'refused'; code: string } {
    if (this.full) return { kind: 'refused', code: 'STORAGE_FULL' };
    return this.call((state) => {
      const admission = admit(state, volume, frame);
      if (admission.kind === 'refuse') return { kind: 'refused', code: admission.code };
      if (admission.kind === 'append') {
        const lineage = this.#of(volume);
        const position = lineage.records.length + 1;
        if (!lineage.bases.has(frame.session)) lineage.bases.set(frame.session, lineage.records.length);
        if (frame.kind === 'initBegin')
          beginHole(state, volume, { fromPosition: position, sinceMs: frame.sinceMs, reason: frame.reason });
        if (frame.kind === 'initEnd') endHole(state, volume, position, frame.timeMs);
        this.#commit();
        lineage.records.push({ session: frame.session, frame });
      }
      const durable = this.durable(volume);
      return { kind: 'receipt', session: durable.session, n: durable.n };
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
    const last = records.at(-1)?.frame;
    return { position: records.length, session: last?.session ?? 0, n: last?.n ?? 0, timeMs: last?.timeMs ?? 0 };
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

  /** Advances distribution a little. */
  distribute(steps: number): void {
    if (!this.up) return;
    for (const lineage of this.#lineages.values())
      lineage.applied = Math.min(lineage.records.length, lineage.applied + steps);
  }

  /**
   * A volume's content at a position: every record up to it, in order. Continues from the last
   * answer where possible.
   */
  contentAt(volume: VolumeId, position: number, blocks: number): Uint32Array {
    const { records } = this.#of(volume);
    const cached = this.#contents.get(volume);
    const known =
      cached !== undefined && cached.position <= position ? cached : { position: 0, content: new Uint32Array(blocks) };
    for (let i = known.position; i < position; i += 1) {
      const frame = records[i]?.frame;
      if (frame?.kind === 'write' && frame.tokens !== undefined)
        known.content.set(frame.tokens, frame.offset / BLOCK_BYTES);
      else if (frame?.kind === 'zeroes')
        known.content.fill(0, frame.offset / BLOCK_BYTES, (frame.offset + frame.length) / BLOCK_BYTES);
    }
    this.#contents.set(volume, { position, content: known.content });
    return known.content.slice();
  }
}
