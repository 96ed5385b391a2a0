// The groups that this appliance serves, and the state of each. The replica site says which they
// are: a group that owns volumes keeps its recovery points whatever the estate file leaves out.
import { setMaxListeners } from 'node:events';
import type { Logger } from 'pino';
import type { ApplianceGroup } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import type { ApplianceId, GroupId } from '../../contracts/ids.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { groupState } from './core/group-state.js';
import type { Members } from './members.js';
import type { PausedGroups } from './paused-groups.js';
import type { Relays } from './relays.js';
import type { Rounds } from './rounds.js';
import type { SiteClient } from './site-client.js';

/** How often the replica site is asked which groups are served here, ms: changes are rare. */
const ASK_EVERY_MS = 5_000;
/** Pause before the replica site is asked again after it did not answer, ms. */
const RETRY_MS = 1_000;

/** What a group's row at the replica site says of it. */
export type ServedGroup = Pick<SiteGroup, 'group' | 'appliance' | 'volumesMax' | 'pointEveryMs' | 'retention'>;

export interface ServedGroupsOptions {
  readonly appliance: ApplianceId;
  readonly estate: Estate;
  readonly site: SiteClient;
  readonly members: Members;
  readonly relays: Relays;
  readonly rounds: Rounds;
  readonly paused: PausedGroups;
  /** Called with all served groups when one was added, taken away or given another interval. */
  readonly onChanged: (groups: readonly ServedGroup[]) => void;
  readonly log: Logger;
}

/** The replica site's current view of the groups. */
interface SiteView {
  readonly groups: ReadonlyMap<GroupId, SiteGroup>;
  readonly initializing: ReadonlyMap<GroupId, number>;
}

export class ServedGroups {
  readonly #options: ServedGroupsOptions;
  /** Served groups: those of the estate file until the replica site has answered. */
  #groups: ReadonlyMap<GroupId, ServedGroup>;
  /** The site's last answer, used for its figures while the site is unreachable. */
  #lastView: SiteView | undefined;
  /** Questions asked about the served groups, and the latest one whose answer was followed. */
  #questions = 0;
  #followed = 0;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ServedGroupsOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stopping.signal);
    this.#groups = new Map(
      options.estate.groups
        .filter((group) => group.appliance === options.appliance)
        .map(({ id, ...group }) => [id, { group: id, ...group }]),
    );
  }

  /** Begins to follow the replica site, in the background. */
  start(): void {
    this.#options.onChanged(this.all);
    void this.#ask();
  }

  stop(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
  }

  get all(): readonly ServedGroup[] {
    return [...this.#groups.values()];
  }

  /**
   * The served group of this id. Asks the replica site about one that is not known here: it may be
   * new.
   * @throws MoverError GROUP_NOT_FOUND, NOT_OWNER, UNREACHABLE, LINK_DOWN
   */
  async require(group: GroupId, signal: AbortSignal): Promise<ServedGroup> {
    const served = this.#groups.get(group);
    if (served !== undefined) return served;
    const [row] = await this.#options.site.groups({ group }, signal);
    if (row === undefined) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${group}".`);
    const { appliance } = this.#options;
    if (row.appliance !== appliance)
      throw new MoverError(
        'NOT_OWNER',
        `Group "${group}" is served by appliance "${row.appliance}", not by "${appliance}".`,
      );
    if (row.retired !== undefined) throw new MoverError('GROUP_NOT_FOUND', `Group "${group}" is retired.`);
    await this.refresh(signal);
    return row;
  }

  /**
   * Asks the replica site which groups are served here.
   * @throws MoverError UNREACHABLE, LINK_DOWN
   */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#served(signal);
  }

  /** Asks again and again. Never rejects. */
  async #ask(): Promise<void> {
    let pauseMs = ASK_EVERY_MS;
    try {
      await this.refresh(this.#stopping.signal);
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the served groups could not be asked for');
      pauseMs = RETRY_MS;
    }
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#ask(), pauseMs);
    this.#timer.unref();
  }

  /**
   * The groups that are served here, as the replica site says now. Answers may overtake each other:
   * one to an earlier question is not followed.
   */
  async #served(signal: AbortSignal): Promise<SiteGroup[]> {
    this.#questions += 1;
    const question = this.#questions;
    const rows = await this.#options.site.groups({ appliance: this.#options.appliance }, signal);
    if (question > this.#followed) {
      this.#followed = question;
      this.#follow(rows);
    }
    return rows;
  }

  #follow(listed: readonly SiteGroup[]): void {
    const rows = listed.filter(({ retired }) => retired === undefined);
    const before = this.#groups;
    this.#groups = new Map(rows.map((row) => [row.group, row]));
    const isSame =
      before.size === rows.length &&
      rows.every(({ group, pointEveryMs }) => before.get(group)?.pointEveryMs === pointEveryMs);
    if (isSame) return;
    this.#options.log.info({ groups: rows.map(({ group }) => group) }, 'the replica site says which groups are served');
    this.#options.onChanged(rows);
  }

  /** Whether a point of the group would contain anything. */
  isAlive(group: GroupId): boolean {
    const { members, relays, paused } = this.#options;
    if (paused.has(group)) return false;
    for (const volume of members.known.membersOf(group)) if (relays.isAttached(volume)) return true;
    return false;
  }

  /** Describes all groups, or one. With an unreachable site, the figures are the last known. */
  async describe(only: GroupId | undefined, signal: AbortSignal): Promise<ApplianceGroup[]> {
    const view = await this.#view(only, signal);
    const groups = only === undefined ? this.all : this.all.filter(({ group }) => group === only);
    return groups.map((group) => this.#describeOne(group, view));
  }

  #describeOne(
    { group: id, appliance, volumesMax, pointEveryMs, retention }: ServedGroup,
    view: SiteView | undefined,
  ): ApplianceGroup {
    const { members, relays, rounds, paused } = this.#options;
    const volumes = members.known.membersOf(id);
    const lastPoint = rounds.lastPointOf(id);
    const state = groupState({
      paused: paused.has(id),
      siteReachable: view !== undefined,
      members: volumes.size,
      attached: [...volumes].filter((volume) => relays.isAttached(volume)).length,
      initializing: view?.initializing.get(id) ?? 0,
    });
    const row = (view ?? this.#lastView)?.groups.get(id) ?? {
      group: id,
      appliance,
      volumesMax,
      pointEveryMs,
      volumes: volumes.size,
      reserved: 0,
      retention,
      journal: { bytes: 0, pointsDropped: 0 },
    };
    return {
      ...row,
      state,
      splitters: relays.splittersOf(volumes).map((address) => address.splitter),
      ...(lastPoint === undefined ? {} : { lastPoint }),
      pointsSkipped: rounds.skippedOf(id),
    };
  }

  /** The site's view; undefined if the site can't be asked. */
  async #view(only: GroupId | undefined, signal: AbortSignal): Promise<SiteView | undefined> {
    const { site, members } = this.#options;
    try {
      const [rows, volumes] = await Promise.all([
        this.#served(signal),
        site.volumes(only === undefined ? {} : { group: only }, signal),
      ]);
      const initializing = new Map<GroupId, number>();
      for (const row of volumes) {
        members.known.learn(row);
        if (row.initializing) initializing.set(row.group, (initializing.get(row.group) ?? 0) + 1);
      }
      const listed = new Set(volumes.map(({ volume }) => volume));
      // A retired volume is in no listing. Only a question by name tells that it is not a new one.
      for (const { group } of rows)
        if (only === undefined || only === group)
          for (const volume of members.known.membersOf(group)) if (!listed.has(volume)) members.askAgain(volume);
      this.#lastView = { groups: new Map(rows.map((row) => [row.group, row])), initializing };
      return this.#lastView;
    } catch (error) {
      if (error instanceof MoverError && error.retryable && !signal.aborted) return undefined;
      throw error;
    }
  }
}
