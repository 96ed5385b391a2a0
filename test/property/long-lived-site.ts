// A replica site that lives through any number of moves, on its rules alone. Volumes go there and
// back, some attempts are aborted or never opened, rounds of retention go by, late calls arrive.
import { type AttemptRef, attemptName } from '../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import { groupIdSchema, moveIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { estateSchema } from '../../contracts/estate.js';
import { attach } from '../../simulator/replica-site/core/attach.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { forgetAttempts } from '../../simulator/replica-site/core/forgetting.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { forgetBefore } from '../../simulator/replica-site/core/history-end.js';
import { applyPolicy } from '../../simulator/replica-site/core/policy.js';
import { admit } from '../../simulator/replica-site/core/records.js';
import { RetentionWalk } from '../../simulator/replica-site/core/retained.js';
import type { Lineages } from '../../simulator/replica-site/core/rows.js';
import { EMPTY_SITE, SiteState, type TableName } from '../../simulator/replica-site/core/state.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { claimOf, LINEAGE } from '../support/identities.js';
import { momentAt } from '../support/moment.js';

const VOLUMES = Array.from({ length: 8 }, (_, i) => volumeIdSchema.parse(`v${i}`));
const GOLD = groupIdSchema.parse('gold');
const SILVER = groupIdSchema.parse('silver');
const SPLITTER = splitterIdSchema.parse('s1');
const MIB = 1024 * 1024;
const MOVE_MS = 1_000;
const MOVES_PER_ROUND = 256;
/** Points are kept this long, and verdicts as long. */
const KEPT_MS = 500 * MOVE_MS;
/** Late calls that are kept for ever, and tried after each round. */
const LATE_CALLS = 24;
const TERMS = { leaseMs: 10 * MOVE_MS, deadlineAfterMs: 60 * MOVE_MS };

const RETENTION = { keepAllMs: KEPT_MS, hourlyMs: 0, dailyMs: 0, weeklyMs: 0 };
const ESTATE = estateSchema.parse({
  replicaSite: { control: { port: 1 } },
  appliances: [{ id: 'a1', control: { port: 1 }, nbd: { port: 1 } }],
  splitters: [
    {
      id: SPLITTER,
      control: { port: 1 },
      nbd: { port: 1 },
      volumes: VOLUMES.map((id) => ({ id, sizeMiB: 1, group: GOLD })),
    },
  ],
  groups: [GOLD, SILVER].map((id) => ({ id, appliance: 'a1', retention: RETENTION })),
  worker: { health: { port: 1 } },
});

/** Lineages of one session each, of which only the length is known. */
class CountedLineages implements Lineages {
  readonly #lengths = new Map<VolumeId, number>();

  append(volume: VolumeId): void {
    this.#lengths.set(volume, this.appliedPosition(volume) + 1);
  }

  durable(volume: VolumeId) {
    const position = this.appliedPosition(volume);
    return { position, session: 1, n: position, timeMs: 0 };
  }

  soundPosition(volume: VolumeId, position: number): number {
    return Math.min(position, this.appliedPosition(volume));
  }

  lineage(): typeof LINEAGE {
    return LINEAGE;
  }

  appliedPosition(volume: VolumeId): number {
    return this.#lengths.get(volume) ?? 0;
  }

  undistributedBytes(): number {
    return 0;
  }

  sessionBase(_volume: VolumeId, session: number): number | undefined {
    return session === 1 ? 0 : undefined;
  }
}

/** A call that arrives again, however late. */
interface LateCall {
  readonly name: string;
  readonly call: (state: SiteState, now: SiteMoment) => unknown;
  /** How it is refused once its attempt is forgotten. */
  readonly refused: ErrorCode;
}

/** Rows by table. */
export type RowCounts = Readonly<Record<TableName, number>>;

export class LongLivedSite {
  readonly state: SiteState;
  readonly #lineages = new CountedLineages();
  readonly #late: LateCall[] = [];
  readonly #keptMs: number;
  #moves = 0;
  #nowMs = 0;
  forgotten = 0;
  /** Late calls that were refused after their attempt was forgotten. */
  refused = 0;

  /** @param forgets whether attempts are ever forgotten */
  constructor(forgets = true) {
    this.#keptMs = forgets ? KEPT_MS : Number.POSITIVE_INFINITY;
    this.state = new SiteState(EMPTY_SITE, this.#lineages);
    followEstate(this.state, ESTATE, 0);
    for (const volume of VOLUMES) attach(this.state, volume, claimOf({ session: 1, epoch: 1, sizeBytes: MIB }, GOLD));
    this.state.settle();
  }

  get rows(): RowCounts {
    const { groups, volumes, attempts: records, moves, points, holes, owners, counters, processes } = this.state;
    return {
      groups: groups.size,
      volumes: volumes.size,
      attempts: records.size,
      moves: moves.size,
      points: points.size,
      holes: holes.size,
      owners: owners.size,
      counters: counters.size,
      processes: processes.size,
    };
  }

  /** Moves volumes in turn. Of ten moves one is refused before it opens, and two are aborted. */
  move(): void {
    this.#moves += 1;
    this.#nowMs += MOVE_MS;
    const volume = VOLUMES[this.#moves % VOLUMES.length] ?? VOLUMES[0];
    if (volume === undefined) throw new Error('there is no volume');
    const attempt: AttemptRef = { move: moveIdSchema.parse(`m${this.#moves}`), n: 1 };
    const floor = this.state.nextTicket;
    const fate = this.#moves % 10;
    const ticket = fate === 0 ? undefined : this.#open(volume, attempt, floor);
    if (fate <= 2) this.#change((state, now) => attempts.answerVerdict(state, asked(attempt, { floor }), now));
    else this.#commit(volume, attempt);
    // The splitter has learned the verdict, and tells with the next point's cut.
    const over = ticket === undefined ? {} : { over: ticket };
    const point = this.#change((state, now) => {
      const { group } = state.volume(volume);
      const cuts = [{ ...this.#cutOf(volume), ...over }];
      return attempts.closeGroupPoint(state, { group, kind: 'periodic', atMs: now.wallMs, cuts, leftOut: [] }, now);
    });
    if (fate > 2) this.#change((state) => attempts.joinAttempt(state, attempt, point.id));
    if (this.#late.length < LATE_CALLS) this.#remember(volume, attempt, floor, ticket);
    if (this.#moves % MOVES_PER_ROUND === 0) this.#round();
  }

  #open(volume: VolumeId, attempt: AttemptRef, floor: number): number {
    const { group, epoch } = this.state.volume(volume);
    const input = { attempt, ...this.#between(volume, group, epoch), floor };
    const { contents } = this.#change((state, now) => attempts.openAttempt(state, input, now));
    if (contents === undefined) throw new Error(`${attemptName(attempt)} was opened without contents`);
    return contents.ticket;
  }

  #between(volume: VolumeId, from: typeof GOLD, epoch: number) {
    const to = from === GOLD ? SILVER : GOLD;
    return { volumes: [{ volume, splitter: SPLITTER, epoch }], from, to, ...TERMS };
  }

  #commit(volume: VolumeId, attempt: AttemptRef): void {
    const { n } = this.#cutOf(volume);
    if (admit(this.state, volume, { session: 1, n: n + 1, epoch: this.state.volume(volume).epoch }).kind !== 'append')
      throw new Error(`a record of ${volume} was refused`);
    this.#lineages.append(volume);
    const cuts = [this.#cutOf(volume)];
    this.#change((state, now) => attempts.sealAttempt(state, attempt, cuts, [], now.wallMs, { now }));
    this.#change((state) => attempts.bookmarkAttempt(state, attempt));
    this.#change((state, now) => attempts.adoptAttempt(state, attempt, now));
  }

  #cutOf(volume: VolumeId) {
    const { session, n } = this.#lineages.durable(volume);
    return { volume, session, n };
  }

  #remember(volume: VolumeId, attempt: AttemptRef, floor: number, ticket: number | undefined): void {
    const { group, epoch } = this.state.volume(volume);
    const late = (name: string, refused: ErrorCode, call: LateCall['call']): void => {
      this.#late.push({ name: `${name} of ${attemptName(attempt)}`, refused, call });
    };
    // At the present epoch, so that nothing but the floor is against it.
    const input = { attempt, ...this.#between(volume, group, epoch), floor };
    late('open', 'STALE_ATTEMPT', (state, now) => {
      const row = state.volume(volume);
      return attempts.openAttempt(state, { ...input, ...this.#between(volume, row.group, row.epoch) }, now);
    });
    late('resolve', 'STALE_ATTEMPT', (state, now) => attempts.answerVerdict(state, asked(attempt, { floor }), now));
    if (ticket !== undefined)
      late("a splitter's resolve", 'STALE_ATTEMPT', (state, now) =>
        attempts.answerVerdict(state, asked(attempt, { ticket }), now),
      );
    late('renew', 'ATTEMPT_NOT_FOUND', (state) => attempts.renewAttempt(state, attempt, TERMS.leaseMs, this.#nowMs));
    late('adopt', 'ATTEMPT_NOT_FOUND', (state, now) => attempts.adoptAttempt(state, attempt, now));
  }

  #round(): void {
    const { ageMs } = momentAt(this.#nowMs);
    for (const group of [GOLD, SILVER]) this.#change((state) => applyPolicy(state, group, ageMs, new Set()));
    const walk = new RetentionWalk(this.state, VOLUMES);
    while (!walk.step());
    for (const [volume, named] of walk.named) {
      const oldest = Math.min(this.#lineages.appliedPosition(volume), ...named.keys());
      this.#change((state) => forgetBefore(state, volume, oldest));
    }
    const names = this.state.decidedAttempts();
    this.forgotten += this.#change((state) => forgetAttempts(state, names, ageMs, this.#keptMs)).forgotten;
    if (this.#keptMs < this.#nowMs / 4) this.#late.forEach((late) => this.#arriveLate(late));
  }

  #arriveLate({ name, call, refused }: LateCall): void {
    const code = codeOf(() => call(this.state, momentAt(this.#nowMs)));
    if (code !== refused) throw new Error(`after ${this.#moves} moves a late ${name} gets ${code}`);
    if (this.state.changes().length > 0) throw new Error(`a late ${name} was refused, and changed something`);
    this.refused += 1;
  }

  #change<Result>(rule: (state: SiteState, now: SiteMoment) => Result): Result {
    const result = rule(this.state, momentAt(this.#nowMs));
    this.state.settle();
    return result;
  }
}

function codeOf(run: () => unknown): ErrorCode | 'an answer' {
  try {
    run();
    return 'an answer';
  } catch (error) {
    if (error instanceof MoverError) return error.code;
    throw error;
  }
}

function asked(attempt: AttemptRef, known: { readonly floor?: number; readonly ticket?: number }) {
  return { attempt, reason: 'late', onlyIfExpired: false, ...known };
}
