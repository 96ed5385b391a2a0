// The groups that this appliance serves, and the state of each.
import type { ApplianceGroup } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import type { Estate, EstateGroup } from '../../contracts/estate.js';
import type { ApplianceId, GroupId } from '../../contracts/ids.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { groupState } from './core/group-state.js';
import type { Members } from './members.js';
import type { PausedGroups } from './paused-groups.js';
import type { Relays } from './relays.js';
import type { Rounds } from './rounds.js';
import type { SiteClient } from './site-client.js';

export interface ServedGroupsOptions {
  readonly appliance: ApplianceId;
  readonly estate: Estate;
  readonly site: SiteClient;
  readonly members: Members;
  readonly relays: Relays;
  readonly rounds: Rounds;
  readonly paused: PausedGroups;
}

/** The replica site's current view of the groups. */
interface SiteView {
  readonly groups: ReadonlyMap<GroupId, SiteGroup>;
  readonly initializing: ReadonlyMap<GroupId, number>;
}

export class ServedGroups {
  readonly #options: ServedGroupsOptions;
  readonly #groups: ReadonlyMap<GroupId, EstateGroup>;
  /** The site's last answer, used for its figures while the site is unreachable. */
  #lastView: SiteView | undefined;

  constructor(options: ServedGroupsOptions) {
    this.#options = options;
    this.#groups = new Map(
      options.estate.groups.filter((group) => group.appliance === options.appliance).map((group) => [group.id, group]),
    );
  }

  get all(): readonly EstateGroup[] {
    return [...this.#groups.values()];
  }

  has(group: GroupId): boolean {
    return this.#groups.has(group);
  }

  /** The served group of this id. @throws MoverError GROUP_NOT_FOUND, NOT_OWNER */
  require(group: GroupId): EstateGroup {
    const served = this.#groups.get(group);
    if (served !== undefined) return served;
    const known = this.#options.estate.groups.find(({ id }) => id === group);
    if (known === undefined) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${group}".`);
    throw new MoverError(
      'NOT_OWNER',
      `Group "${group}" is served by appliance "${known.appliance}", not by "${this.#options.appliance}".`,
    );
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
    const groups = only === undefined ? this.all : this.all.filter((group) => group.id === only);
    return groups.map((group) => this.#describeOne(group, view));
  }

  #describeOne(
    { id, appliance, volumesMax, pointEveryMs, retention }: EstateGroup,
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
    const { appliance, site, members } = this.#options;
    try {
      const [rows, volumes] = await Promise.all([
        site.groups({ appliance }, signal),
        site.volumes(only === undefined ? {} : { group: only }, signal),
      ]);
      const initializing = new Map<GroupId, number>();
      for (const row of volumes) {
        members.known.learn(row);
        if (row.initializing) initializing.set(row.group, (initializing.get(row.group) ?? 0) + 1);
      }
      this.#lastView = { groups: new Map(rows.map((row) => [row.group, row])), initializing };
      return this.#lastView;
    } catch (error) {
      if (error instanceof MoverError && error.retryable && !signal.aborted) return undefined;
      throw error;
    }
  }
}
