// The replica site's rules over lineages in memory, where a test says what is durable and what is
// applied.
import { type AttemptRef, attemptName } from '../../contracts/attempt.js';
import { estateSchema } from '../../contracts/estate.js';
import { groupIdSchema, moveIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import { lineageIdSchema, type LineageId } from '../../contracts/lineage.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { attach, forkLineage, hear, type Claim } from '../../simulator/replica-site/core/attach.js';
import { admit } from '../../simulator/replica-site/core/records.js';
import type { Lineages } from '../../simulator/replica-site/core/rows.js';
import { EMPTY_SITE, SiteState, TABLE_NAMES, type TableName } from '../../simulator/replica-site/core/state.js';
import type { RowChange } from '../../simulator/replica-site/core/table.js';
import { claimOf, LINEAGE } from '../support/identities.js';
import { momentAt } from '../support/moment.js';

export const V1 = volumeIdSchema.parse('v1');
export const V2 = volumeIdSchema.parse('v2');
export const G1 = groupIdSchema.parse('g1');
export const G2 = groupIdSchema.parse('g2');
export const S1 = splitterIdSchema.parse('s1');
export const SIZE_BYTES = 1024 * 1024;
export const LEASE_MS = 1_000;
export const DEADLINE_MS = 10_000;

/** Each record of a volume by (session, n); applied up to a position. */
export class MemoryLineages implements Lineages {
  readonly records = new Map<VolumeId, { readonly session: number; readonly n: number }[]>();
  readonly applied = new Map<VolumeId, number>();

  #of(volume: VolumeId) {
    return this.records.get(volume) ?? [];
  }

  durable(volume: VolumeId) {
    const records = this.#of(volume);
    const { session, n } = records.at(-1) ?? { session: 0, n: 0 };
    return { position: records.length, session, n, timeMs: records.length };
  }

  /** What is lost, by volume: the positions after `after`, up to and including `upTo`. */
  readonly lost = new Map<VolumeId, { readonly after: number; readonly upTo: number }>();

  soundPosition(volume: VolumeId, position: number): number {
    const durable = Math.min(position, this.durable(volume).position);
    const { after, upTo } = this.lost.get(volume) ?? { after: 0, upTo: 0 };
    return durable > after && durable <= upTo ? after : durable;
  }

  /** The lineage of a volume that was forked; any other has LINEAGE. */
  readonly ids = new Map<VolumeId, LineageId>();

  lineage(volume: VolumeId): LineageId {
    return this.ids.get(volume) ?? LINEAGE;
  }

  fork(volume: VolumeId): void {
    this.ids.set(volume, lineageIdSchema.parse(`${this.ids.size + 4}`.repeat(32).slice(0, 32)));
  }

  appliedPosition(volume: VolumeId): number {
    return this.applied.get(volume) ?? this.#of(volume).length;
  }

  undistributedBytes(volume: VolumeId): number {
    return (this.#of(volume).length - this.appliedPosition(volume)) * 512;
  }

  sessionBase(volume: VolumeId, session: number): number | undefined {
    const first = this.#of(volume).findIndex((record) => record.session === session);
    return first < 0 ? undefined : first;
  }
}

/** v1 and v2 in g1; g2 has room for two. */
export const ESTATE = estateSchema.parse({
  replicaSite: { control: { port: 1 } },
  appliances: [{ id: 'a1', control: { port: 1 }, nbd: { port: 1 } }],
  splitters: [
    {
      id: 's1',
      control: { port: 1 },
      nbd: { port: 1 },
      volumes: [V1, V2].map((id) => ({ id, sizeMiB: 1, group: G1 })),
    },
  ],
  groups: [
    { id: G1, appliance: 'a1' },
    { id: G2, appliance: 'a1', volumesMax: 2 },
  ],
  worker: { health: { port: 1 } },
});

export class SiteUnderTest {
  readonly lineages = new MemoryLineages();
  state = new SiteState(EMPTY_SITE, this.lineages);

  constructor() {
    followEstate(this.state, ESTATE, 0);
  }

  /**
   * Another life of the site, once: from all that its first one stored.
   * @param damaged the one row that can't be read
   */
  restart(damaged?: { readonly table: TableName; readonly key: string }): void {
    const stored = this.state.changes();
    const rows = { ...EMPTY_SITE };
    for (const name of TABLE_NAMES) {
      const isThere = ({ key, value }: RowChange): boolean =>
        value !== undefined && !(damaged?.table === name && damaged.key === key);
      const entries = stored.filter((change) => change.table === name && isThere(change));
      Object.assign(rows, { [name]: entries.map(({ key, value }) => [key, value]) });
    }
    const unreadable = damaged && new Map([[damaged.table, new Map([[damaged.key, 'not readable']])]]);
    this.state = new SiteState(unreadable === undefined ? rows : { ...rows, unreadable }, this.lineages);
  }

  attach(volume = V1, session = 1, epoch = this.state.volume(volume).epoch): string {
    return this.claim(volume, { session, epoch });
  }

  /**
   * Hears a claim and acts on it, as the shell does.
   * @returns the refusal's code, or `after` and the last write that is there of the session
   */
  claim(volume: VolumeId, claim: Partial<Claim> = {}): string {
    const { group, epoch } = this.state.volume(volume);
    const whole = claimOf({ session: 1, epoch, sizeBytes: SIZE_BYTES, ...claim }, claim.group ?? group);
    const heard = hear(this.state, volume, whole, momentAt(0));
    if (heard.kind === 'refuse') return heard.code;
    if (heard.kind === 'fork') {
      this.lineages.fork(volume);
      return forkLineage(this.state, volume, heard.reason, momentAt(0)).code;
    }
    return `after ${attach(this.state, volume, whole).n}`;
  }

  /** A record comes in and, if it is accepted, is durable at once. */
  write(n: number, volume = V1, session = 1, epoch = this.state.volume(volume).epoch): string {
    const answer = admit(this.state, volume, { session, n, epoch });
    if (answer.kind === 'refuse') return answer.code;
    if (answer.kind === 'append')
      this.lineages.records.set(volume, [...(this.lineages.records.get(volume) ?? []), { session, n }]);
    return answer.kind;
  }

  writes(from: number, to: number, volume = V1, session = 1): void {
    for (let n = from; n <= to; n += 1) this.write(n, volume, session);
  }

  open(
    n: number,
    {
      move = 'm1',
      volumes = [V1],
      from = G1,
      to = G2,
      nowMs = 0,
      epoch = undefined as number | undefined,
      reversibleForMs = undefined as number | undefined,
    } = {},
  ) {
    return attempts.openAttempt(
      this.state,
      {
        attempt: ref(n, move),
        volumes: volumes.map((volume) => ({ volume, splitter: S1, epoch: epoch ?? this.state.volume(volume).epoch })),
        from,
        to,
        leaseMs: LEASE_MS,
        deadlineAfterMs: DEADLINE_MS,
        reversibleForMs,
      },
      momentAt(nowMs),
    );
  }

  /** Everything from the seal to the commit, at what is durable now. */
  commit(attempt: AttemptRef, nowMs = 0) {
    const { contents } = attempts.getAttempt(this.state, attempt);
    if (contents === undefined) throw new Error(`${attemptName(attempt)} has no contents`);
    const cuts = contents.volumes.map(({ volume }) => {
      const { session, n } = this.lineages.durable(volume);
      return { volume, session, n };
    });
    attempts.sealAttempt(this.state, attempt, cuts, [], nowMs);
    attempts.bookmarkAttempt(this.state, attempt);
    return attempts.adoptAttempt(this.state, attempt, momentAt(nowMs));
  }
}

export function ref(n: number, move = 'm1'): AttemptRef {
  return { move: moveIdSchema.parse(move), n };
}

export function cut(n: number, volume = V1, session = 1) {
  return { volume, session, n };
}

export function codeOf(run: () => unknown): string {
  try {
    run();
    return 'not refused';
  } catch (error) {
    if (error instanceof MoverError) return error.code;
    throw error;
  }
}
