// The replica site as a machine: the real core over lineages in memory. All that it accepts is
// durable and applied at once.
import type { AttemptRecord, AttemptRef, Cut } from '../../contracts/attempt.js';
import { attemptName } from '../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import { type LineageId, lineageIdSchema } from '../../contracts/lineage.js';
import type { Ownership } from '../../contracts/point.js';
import { attach, type Attachment, type Claim, hear, type Refusal } from '../../simulator/replica-site/core/attach.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { forgetAttempts } from '../../simulator/replica-site/core/forgetting.js';
import { forgetBefore } from '../../simulator/replica-site/core/history-end.js';
import { beginOwnership } from '../../simulator/replica-site/core/owners.js';
import { type NewPoint, positionIn } from '../../simulator/replica-site/core/points.js';
import { admit, beginHole, endHole, mendHoles } from '../../simulator/replica-site/core/records.js';
import type { GroupRow, Lineages, PointRow, VolumeRow } from '../../simulator/replica-site/core/rows.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES } from '../../simulator/replica-site/core/state.js';
import { regionRuns, type RegionRun } from '../../simulator/replica-site/intake/region-runs.js';
import type { Part } from './search/machine.js';
import { type Frame, NOW_MS } from './splitter-part.js';

const NOW = { monotonicMs: NOW_MS, wallMs: NOW_MS, ageMs: NOW_MS };

export type SiteInput = { readonly key: string } & (
  | { readonly do: 'attach'; readonly volume: VolumeId; readonly claim: Claim }
  | { readonly do: 'receive'; readonly frame: Frame }
  | { readonly do: 'open'; readonly input: attempts.OpenInput }
  | {
      readonly do: 'seal';
      readonly attempt: AttemptRef;
      readonly cuts: readonly Cut[];
      readonly others: readonly Cut[];
    }
  | { readonly do: 'bookmark' | 'adopt'; readonly attempt: AttemptRef }
  | { readonly do: 'resolve'; readonly attempt: AttemptRef; readonly floor?: number; readonly ticket?: number }
  | { readonly do: 'join'; readonly attempt: AttemptRef; readonly point: NewPoint }
  | { readonly do: 'restart' | 'forget' }
);

export type SiteOutput =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  | { readonly kind: 'record'; readonly record: AttemptRecord }
  | { readonly kind: 'receipt'; readonly session: number; readonly n: number }
  | { readonly kind: 'met'; readonly answer: (Attachment & { readonly touched: RegionRun[] }) | Refusal };

const DONE: SiteOutput = { kind: 'done' };

export interface LineageView {
  /** The record at each position: position 1 is at index 0. */
  readonly records: readonly Frame[];
  /** Content after the newest record. */
  readonly newest: number;
}

export interface PointView {
  readonly row: PointRow;
  /** Content of each member that can be opened. */
  readonly content: ReadonlyMap<VolumeId, number>;
}

export interface SiteView {
  /** Names of attempts whose records the site has forgotten. `attempts` has them as they were. */
  readonly forgotten: ReadonlySet<string>;
  readonly volumes: ReadonlyMap<VolumeId, VolumeRow>;
  readonly attempts: ReadonlyMap<string, AttemptRecord>;
  readonly lineages: ReadonlyMap<VolumeId, LineageView>;
  /** Positions that lie in holes, by volume. */
  readonly holes: ReadonlyMap<VolumeId, ReadonlySet<number>>;
  readonly owners: ReadonlyMap<VolumeId, readonly Ownership[]>;
  readonly points: readonly PointView[];
}

class MemoryLineage {
  readonly id: LineageId;
  constructor(id: LineageId) {
    this.id = id;
  }
  readonly records: Frame[] = [];
  readonly bases = new Map<number, number>();
}

/** Changes a rule of the site, to show that the search notices. */
export type Flaw = (state: SiteState, input: SiteInput) => SiteOutput | undefined;

export class SitePart implements Part<SiteInput, SiteOutput, SiteView>, Lineages {
  readonly #stored = new Map<string, Map<string, unknown>>(TABLE_NAMES.map((name) => [name, new Map()]));
  readonly #lineages = new Map<VolumeId, MemoryLineage>();
  readonly #flaw: Flaw;
  readonly #forgotten = new Map<string, AttemptRecord>();
  #lineagesMade = 0;
  #lives = 0;
  #state: SiteState;

  constructor(groups: readonly GroupRow[], volumes: readonly VolumeRow[], flaw: Flaw = () => undefined) {
    this.#flaw = flaw;
    for (const group of groups) this.#stored.get('groups')?.set(group.group, group);
    for (const volume of volumes) {
      this.#stored.get('volumes')?.set(volume.volume, volume);
      this.#lineages.set(volume.volume, new MemoryLineage(this.#newLineage()));
    }
    this.#state = this.#load();
    for (const volume of volumes) beginOwnership(this.#state, volume, { position: 0, atMs: 0 });
    this.#commit();
  }

  get whole(): unknown {
    return [this.#state, this.#lineages, this.#stored, this.#lives, this.#forgotten];
  }

  #newLineage(): LineageId {
    this.#lineagesMade += 1;
    return lineageIdSchema.parse(this.#lineagesMade.toString(16).padStart(32, '0'));
  }

  #load(): SiteState {
    const rows = { ...EMPTY_SITE };
    for (const name of TABLE_NAMES) Object.assign(rows, { [name]: [...(this.#stored.get(name) ?? [])] });
    const state = new SiteState(rows, this);
    mendHoles(state);
    return state;
  }

  #commit(): void {
    for (const { table, key, value } of this.#state.changes()) {
      const rows = this.#stored.get(table);
      if (value === undefined) rows?.delete(key);
      else rows?.set(key, value);
    }
    this.#state.settle();
  }

  apply(input: SiteInput): SiteOutput {
    const before = this.#records();
    try {
      return this.#flaw(this.#state, input) ?? this.#do(input);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      return { kind: 'refused', code: error.code };
    } finally {
      this.#commit();
      for (const [name, record] of before)
        if (this.#state.attempts.get(name) === undefined) this.#forgotten.set(name, record);
    }
  }

  #do(input: SiteInput): SiteOutput {
    const state = this.#state;
    const answer = (record: AttemptRecord): SiteOutput => ({ kind: 'record', record });
    switch (input.do) {
      case 'attach':
        return { kind: 'met', answer: this.#attach(input.volume, input.claim) };
      case 'receive':
        return this.#receive(input.frame);
      case 'open':
        return answer(attempts.openAttempt(state, input.input, NOW));
      case 'seal':
        return answer(attempts.sealAttempt(state, input.attempt, input.cuts, input.others, NOW_MS, { now: NOW }));
      case 'bookmark':
        return answer(attempts.bookmarkAttempt(state, input.attempt));
      case 'adopt':
        return answer(attempts.adoptAttempt(state, input.attempt, NOW));
      case 'resolve':
        return answer(attempts.answerVerdict(state, { reason: 'resolved', onlyIfExpired: false, ...input }, NOW));
      case 'join': {
        const { id } = attempts.closeGroupPoint(state, input.point, NOW);
        return answer(attempts.joinAttempt(state, input.attempt, id));
      }
      case 'forget':
        // Nobody needs old positions here, so spans go as soon as a move ended them.
        for (const volume of this.#lineages.keys()) forgetBefore(state, volume, this.durable(volume).position + 1);
        forgetAttempts(state, state.decidedAttempts(), NOW_MS, 0);
        return DONE;
      case 'restart':
        this.#lives += 1;
        this.#state = this.#load();
        this.#state.beginLife({ number: this.#lives, beganAtMs: NOW_MS });
        return DONE;
    }
  }

  /** Learns what a claim says before it decides, as the shell does. */
  #attach(volume: VolumeId, claim: Claim): (Attachment & { readonly touched: RegionRun[] }) | Refusal {
    const state = this.#state;
    const heard = hear(state, volume, claim, NOW);
    if (heard.kind === 'refuse') return heard;
    if (heard.kind === 'fork') throw new Error(`the search loses no records, and yet: ${heard.reason}`);
    const changed = this.#of(volume)
      .records.slice(claim.confirmed?.position ?? 0)
      .flatMap(({ kind }) => (kind === 'write' ? [{ kind, offset: 0, length: 1 }] : []));
    return { ...attach(state, volume, claim), touched: heard.kind === 'newSession' ? regionRuns(changed) : [] };
  }

  #receive(frame: Frame): SiteOutput {
    const state = this.#state;
    const { volume } = frame;
    const admission = admit(state, volume, frame);
    if (admission.kind === 'refuse') return { kind: 'refused', code: admission.code };
    if (admission.kind === 'append') {
      const lineage = this.#of(volume);
      const position = lineage.records.length + 1;
      if (!lineage.bases.has(frame.session)) lineage.bases.set(frame.session, lineage.records.length);
      if (frame.kind === 'initBegin')
        beginHole(state, volume, { fromPosition: position, sinceMs: NOW_MS, reason: 'a splitter restarted' });
      if (frame.kind === 'initEnd') endHole(state, volume, position, NOW_MS);
      lineage.records.push(frame);
    }
    const { session, n } = this.durable(volume);
    return { kind: 'receipt', session, n };
  }

  // ---- what the core asks the journals ----

  durable(volume: VolumeId): { position: number; session: number; n: number; timeMs: number } {
    const { records } = this.#of(volume);
    const last = records.at(-1);
    return { position: records.length, session: last?.session ?? 0, n: last?.n ?? 0, timeMs: NOW_MS };
  }

  soundPosition(volume: VolumeId, position: number): number {
    return Math.min(position, this.durable(volume).position);
  }

  lineage(volume: VolumeId): LineageId {
    return this.#of(volume).id;
  }

  appliedPosition(volume: VolumeId): number {
    return this.durable(volume).position;
  }

  undistributedBytes(): number {
    return 0;
  }

  sessionBase(volume: VolumeId, session: number): number | undefined {
    return this.#of(volume).bases.get(session);
  }

  #of(volume: VolumeId): MemoryLineage {
    const known = this.#lineages.get(volume);
    if (known === undefined) throw new Error(`there is no volume ${volume}`);
    return known;
  }

  // ---- what is looked at ----

  view(): SiteView {
    const state = this.#state;
    const ids = [...this.#lineages.keys()];
    const records = new Map(ids.map((volume) => [volume, [...this.#of(volume).records]]));
    return {
      volumes: new Map(ids.map((volume) => [volume, state.volume(volume)])),
      forgotten: new Set([...this.#forgotten.keys()].filter((name) => state.attempts.get(name) === undefined)),
      attempts: new Map([...this.#forgotten, ...this.#records()]),
      lineages: new Map(
        [...records].map(([volume, list]) => [volume, { records: list, newest: contentAt(list, list.length) }]),
      ),
      holes: new Map(
        [...records].map(([volume, list]) => [
          volume,
          new Set(list.map((_frame, i) => i + 1).filter((at) => state.inHole(volume, at))),
        ]),
      ),
      owners: new Map(ids.map((volume) => [volume, state.ownersOf(volume)])),
      points: [...state.points.values()].map((row) => ({ row, content: this.#contentOf(row) })),
    };
  }

  #records(): Map<string, AttemptRecord> {
    return new Map([...this.#state.attempts.values()].map(({ record }) => [attemptName(record.attempt), record]));
  }

  #contentOf(row: PointRow): Map<VolumeId, number> {
    const content = new Map<VolumeId, number>();
    for (const { volume, provisional } of row.point.members) {
      if (provisional !== undefined) continue;
      content.set(volume, contentAt(this.#of(volume).records, positionIn(this.#state, row, volume)));
    }
    return content;
  }
}

/** A volume's content at a position. */
function contentAt(records: readonly Frame[], position: number): number {
  return records.slice(0, position).findLast(({ kind }) => kind === 'write')?.token ?? 0;
}
