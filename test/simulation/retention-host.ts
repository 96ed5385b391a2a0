// The replica site's retention in virtual time: the real rounds over journals in memory, a person
// who keeps and opens points, and a judge beside them.
import { pino } from 'pino';
import { attemptName, type AttemptRecord } from '../../contracts/attempt.js';
import type { GroupId, PointId, VolumeId } from '../../contracts/ids.js';
import type { Hole } from '../../contracts/point.js';
import { lockPoint } from '../../simulator/replica-site/core/bookmark-locks.js';
import { ownerKey } from '../../simulator/replica-site/core/owners.js';
import { markPoint } from '../../simulator/replica-site/core/points.js';
import type { AttemptRow } from '../../simulator/replica-site/core/rows.js';
import type { SiteState } from '../../simulator/replica-site/core/state.js';
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';
import { RetentionRounds, type RetainedJournal } from '../../simulator/replica-site/retention-rounds.js';
import { overUpTo } from '../../simulator/splitter/core/attempt-guards.js';
import { MoverError } from '../../contracts/errors.js';
import { checkDropped, checkOpenable, checkRound, type GroupLook } from './assertions/retention.js';
import type { SiteHost } from './site-host.js';
import type { SplitterHost } from './splitter-host.js';
import type { Chance, VirtualMoment, VirtualTime } from './virtual-time.js';
import type { Witness } from './witness.js';

/** Age from which on a position may be dropped, in ms: longer than a point waits for its cuts. */
const SETTLED_AFTER_MS = { quick: 400, slow: 8_000 };
/** Longest pause of a round between two slices, in ms: moves and crashes come in between. */
const PAUSE_MS_MAX = 6;
const OPENED_MS_MAX = 1_500;
/** Longest lock of a point, in ms by the clock of ages. */
const LOCKED_MS_MAX = 12 * 3_600_000;
/** How long verdicts are kept, by the clock of ages, which is faster than others here. */
const VERDICT_KEPT_MS = 2 * 3_600_000;
const log = pino({ level: 'silent' });

/** What retention needs of the world. */
export interface RetentionWorld {
  readonly site: SiteHost;
  readonly siteMoment: VirtualMoment;
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly witness: Witness;
  readonly volumes: readonly VolumeId[];
  readonly groups: readonly { readonly group: GroupId }[];
  readonly faults: { readonly slow: number };
  /** Whether a splitter ever came back older. */
  readonly hasSplitterForgotten: boolean;
  hostOf(volume: VolumeId): Pick<SplitterHost, 'storedRows'>;
  reaches(mark: string): void;
}

export class RetentionHost {
  readonly #world: RetentionWorld;
  readonly #inUse = new Set<PointId>();
  /** Points of which an image was open at any time of the present round. */
  readonly #used = new Set<PointId>();
  #life = new AbortController();
  #rounds: RetentionRounds;
  #running = false;
  /** Holes that the site has forgotten. */
  readonly forgottenHoles: Hole[] = [];
  /** Records of attempts that the site has forgotten, by name. */
  readonly forgottenAttempts = new Map<string, AttemptRecord>();
  /** Whether the store refused a change of the present round: the next one tries again. */
  #wasRefused = false;

  constructor(world: RetentionWorld) {
    this.#world = world;
    this.#rounds = this.#newRounds();
  }

  /** The site's process ended: so does its round. */
  crash(): void {
    this.#life.abort();
    this.#life = new AbortController();
    this.#rounds = this.#newRounds();
    this.#inUse.clear();
  }

  #newRounds(): RetentionRounds {
    const world = this.#world;
    const { site, time, chance } = world;
    const { signal } = this.#life;
    return new RetentionRounds({
      site: {
        get state() {
          return site.state;
        },
        get now() {
          return world.siteMoment;
        },
        change: (rule) => this.#judged(rule),
      },
      journals: new Map(world.volumes.map((volume): [VolumeId, RetainedJournal] => [volume, site.journal(volume)])),
      inUse: () => this.#inUse,
      verdictKeptMs: VERDICT_KEPT_MS,
      settledAfterMs: world.faults.slow > 0 ? SETTLED_AFTER_MS.slow : SETTLED_AFTER_MS.quick,
      steadyMs: () => time.nowMs,
      log,
      signal,
      nextTurn: () => time.sleep(chance.between(0, PAUSE_MS_MAX)),
    });
  }

  /** Runs a round, unless one is under way. */
  async round(): Promise<void> {
    const world = this.#world;
    if (this.#running || !world.site.up) return;
    this.#running = true;
    const { signal } = this.#life;
    const before = this.#look();
    this.#used.clear();
    this.#wasRefused = false;
    for (const point of this.#inUse) this.#used.add(point);
    try {
      await this.#rounds.run();
      world.reaches('retention: round');
      if (!this.#wasRefused)
        for (const [group, look] of this.#look()) checkRound(before.get(group) ?? look, { ...look, inUse: this.#used });
      checkOpenable(world.site);
    } catch (error) {
      if (signal.aborted) world.reaches('retention: round cut short');
      else if (!(error instanceof MoverError)) world.witness.break(String(error));
    } finally {
      this.#running = false;
    }
  }

  #judged<T>(rule: (state: SiteState, now: SiteMoment) => T): T {
    const world = this.#world;
    const before = this.#look();
    const { owners, holes, attempts } = world.site.state;
    const known = { owners: owners.size, holes: [...holes.values()], attempts: [...attempts.values()] };
    const result = this.#stored(rule);
    for (const row of known.attempts) {
      const { record } = row;
      const name = attemptName(record.attempt);
      if (attempts.get(name) !== undefined) continue;
      world.reaches(`retention: forgot an attempt, ${record.state}`);
      this.forgottenAttempts.set(name, record);
      this.#checkForgotten(row);
    }
    if (owners.size < known.owners) world.reaches('retention: forgot an owner');
    if (holes.size < known.holes.length) {
      world.reaches('retention: forgot a hole');
      const left = new Set(holes.values());
      for (const row of known.holes) if (!left.has(row)) this.forgottenHoles.push(row.hole);
    }
    try {
      for (const [group, look] of this.#look()) {
        const dropped = checkDropped(before.get(group) ?? look, look);
        if (dropped > 0)
          world.reaches(isForRoom(before.get(group), look) ? 'retention: for room' : 'retention: by policy');
      }
    } catch (error) {
      world.witness.break(String(error));
    }
    return result;
  }

  /** Breaks the run unless nothing needed the attempt any more. */
  #checkForgotten({ record, ticket = 0 }: AttemptRow): void {
    const { site, witness, hasSplitterForgotten } = this.#world;
    const name = attemptName(record.attempt);
    for (const { volume, epoch } of record.contents?.volumes ?? []) {
      if (record.state === 'COMMITTED' && site.state.owners.get(ownerKey({ volume, epoch: epoch + 1 })) !== undefined)
        witness.break(`${name} was forgotten, and ${volume} is still where it was moved, or can be seen there`);
      const row = this.#world.hostOf(volume).storedRows().get(volume);
      if (!hasSplitterForgotten && row !== undefined && overUpTo(row) < ticket)
        witness.break(`${name} was forgotten, and the splitter of ${volume} does not know that it is over`);
    }
  }

  #stored<T>(rule: (state: SiteState, now: SiteMoment) => T): T {
    const { site, siteMoment } = this.#world;
    try {
      return site.call((state) => rule(state, siteMoment));
    } catch (error) {
      this.#wasRefused = true;
      throw error;
    }
  }

  #look(): Map<GroupId, GroupLook> {
    const { site, siteMoment, groups } = this.#world;
    return new Map(
      groups.map(({ group }): [GroupId, GroupLook] => {
        const { retention, journal } = site.state.group(group);
        return [
          group,
          {
            group,
            rows: site.state.pointsOfGroup(group),
            policy: retention,
            ageMs: siteMoment.ageMs,
            inUse: new Set(this.#inUse),
            waysBack: [...site.state.attempts.values()].flatMap(({ record: { contents, wayBack } }) =>
              wayBack === undefined || contents?.from !== group || wayBack.ended !== undefined
                ? []
                : wayBack.untilMs <= siteMoment.ageMs
                  ? []
                  : [{ sinceMs: wayBack.sinceMs, volumes: contents.volumes }],
            ),
            droppedForRoom: journal.pointsDropped,
          },
        ];
      }),
    );
  }

  /** A person keeps a point, and may lock it, or has an image of one open for a while. */
  person(): void {
    const world = this.#world;
    const { site, chance, time, siteMoment } = world;
    const points = [...site.state.points.values()];
    if (!site.up || site.full || points.length === 0) return;
    const { point } = chance.pick(points);
    if (chance.hit(0.5)) {
      this.#inUse.add(point.id);
      this.#used.add(point.id);
      time.after(chance.between(0, OPENED_MS_MAX), () => this.#inUse.delete(point.id));
      return;
    }
    const name = point.bookmark?.attempt === undefined ? { name: 'kept' } : {};
    const keep = chance.hit(0.2) ? ('forever' as const) : { forMs: Math.ceil(chance.between(1, 24 * 3_600_000)) };
    try {
      site.call((state) => markPoint(state, { point: point.id, keep, ...name }, siteMoment.ageMs));
      world.reaches('retention: a person kept a point');
      if (point.bookmark?.pending === true || chance.hit(0.7)) return;
      const order = { point: point.id, operator: 'somebody', reason: 'for this run' };
      const forMs = Math.ceil(chance.between(1, LOCKED_MS_MAX));
      site.call((state) => lockPoint(state, { ...order, forMs }, siteMoment.ageMs));
      world.reaches('retention: a person locked a point');
    } catch (error) {
      if (!(error instanceof MoverError) || error.code !== 'BOOKMARK_LOCKED') throw error;
      world.reaches('retention: a locked point was not freed sooner');
    }
  }
}

function isForRoom(before: GroupLook | undefined, after: GroupLook): boolean {
  return before !== undefined && after.droppedForRoom > before.droppedForRoom;
}
