// The control API of an appliance: answers its own calls and passes the rest on to the replica
// site.
import type { applianceApi } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import type { ApplianceId, GroupId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { requireFaults } from '../control-server/faults.js';
import type { Handlers } from '../control-server/handlers.js';
import type { Accesses } from './images/accesses.js';
import type { ClockSkews } from './clock-skews.js';
import type { Join } from './join.js';
import type { Link } from './link.js';
import type { Members } from './members.js';
import type { Ownership } from './ownership.js';
import type { PausedGroups } from './paused-groups.js';
import type { Relays } from './relays.js';
import type { Rounds } from './rounds.js';
import type { ServedGroups } from './served-groups.js';
import type { SiteClient } from './site-client.js';

/**
 * Longest time that a point on demand waits for members whose writes are not durable yet, ms.
 * Shorter than the caller's time-out.
 */
const DEMAND_WAIT_MS = 4_000;

export interface CallsOptions {
  readonly appliance: ApplianceId;
  readonly site: SiteClient;
  readonly link: Link;
  readonly members: Members;
  readonly relays: Relays;
  readonly rounds: Rounds;
  readonly served: ServedGroups;
  readonly ownership: Ownership;
  readonly join: Join;
  readonly paused: PausedGroups;
  readonly accesses: Accesses;
  readonly clock: ProcessClock;
  readonly skews: ClockSkews;
  readonly nbd: () => { readonly host: string; readonly port: number };
  /** Whether faults may be injected. */
  readonly faults: boolean;
}

type Calls = Handlers<typeof applianceApi>;

export function applianceCalls(options: CallsOptions): Calls {
  return {
    ...moveCalls(options),
    ...forwardedCalls(options),
    ...groupCalls(options),
    ...groupLifeCalls(options),
    ...accessCalls(options),
    ...faultCalls(options),
    ...viewCalls(options),
  };
}

/**
 * The steps of a move. The old group's appliance makes drain, seal and bookmark; the new group's
 * makes adopt and join; either makes the others.
 */
function moveCalls({ site, members, ownership, join }: CallsOptions) {
  return {
    ticketFloor: async (input, { signal }) => site.call('ticketFloor', input, signal),
    openAttempts: async (input, { signal }) => site.call('openAttempts', input, signal),
    open: async (input, { signal }) => ownership.seen(await site.call('open', input, signal)),
    renew: async (input, { signal }) => site.call('renew', input, signal),
    resolve: async (input, { signal }) => site.call('resolve', input, signal),
    get: async (input, { signal }) => ownership.seen(await site.call('get', input, signal)),
    drain: async (input, { signal }) => {
      await ownership.require('from', input.attempt, signal);
      return site.call('drain', input, signal);
    },
    seal: async (input, { signal }) => {
      await ownership.require('from', input.attempt, signal);
      return site.call('seal', input, signal);
    },
    bookmark: async (input, { signal }) => {
      await ownership.require('from', input.attempt, signal);
      return site.call('bookmark', input, signal);
    },
    adopt: async (input, { signal }) => {
      await ownership.require('to', input.attempt, signal);
      const record = await site.call('adopt', input, signal);
      for (const { volume, epoch } of record.contents?.volumes ?? []) {
        if (record.contents !== undefined) members.known.learn({ volume, group: record.contents.to, epoch: epoch + 1 });
      }
      return record;
    },
    join: async ({ attempt }, { signal }) => join.join(attempt, signal),
  } satisfies Partial<Calls>;
}

/** What the replica site answers, whichever appliance is asked. */
function forwardedCalls({ site }: CallsOptions) {
  return {
    listPoints: async (input, { signal }) => site.call('listPoints', input, signal),
    markPoint: async (input, { signal }) => site.call('markPoint', input, signal),
    lockPoint: async (input, { signal }) => site.call('lockPoint', input, signal),
    waysBack: async (input, { signal }) => site.call('waysBack', input, signal),
    finalize: async (input, { signal }) => site.call('finalize', input, signal),
    findPoint: async (input, { signal }) => site.call('findPoint', input, signal),
    openMarkImage: async (input, { signal }) => site.call('openMarkImage', input, signal),
    digestImage: async (input, { signal }) => site.call('digestImage', input, signal),
    closeMarkImage: async (input, { signal }) => site.call('closeMarkImage', input, signal),
    rebuild: async (input, { signal }) => site.call('rebuild', input, signal),
    addVolume: async (input, { signal }) => site.call('addVolume', input, signal),
    setVolume: async (input, { signal }) => site.call('setVolume', input, signal),
    growVolume: async (input, { signal }) => site.call('growVolume', input, signal),
    retireVolume: async (input, { signal }) => site.call('retireVolume', input, signal),
    retiredProcesses: async (input, { signal }) => site.call('retiredProcesses', input, signal),
    addAppliance: async (input, { signal }) => site.call('addAppliance', input, signal),
    retireAppliance: async (input, { signal }) => site.call('retireAppliance', input, signal),
    addSplitter: async (input, { signal }) => site.call('addSplitter', input, signal),
    retireSplitter: async (input, { signal }) => site.call('retireSplitter', input, signal),
    forgetVolume: async (input, { signal }) => site.call('forgetVolume', input, signal),
    siteGroups: async (input, { signal }) => site.call('groups', input, signal),
    siteVolumes: async (input, { signal }) => site.call('volumes', input, signal),
    inventory: async (input, { signal }) => site.call('inventory', input, signal),
    siteAudit: async (input, { signal }) => site.call('audit', input, signal),
    storeReport: async (input, { signal }) => site.call('storeReport', input, signal),
    report: async (input, { signal }) => site.call('report', input, signal),
    reports: async (input, { signal }) => site.call('reports', input, signal),
    storeBatchPlan: async (input, { signal }) => site.call('storeBatchPlan', input, signal),
    finishBatchPlan: async (input, { signal }) => site.call('finishBatchPlan', input, signal),
    batchPlan: async (input, { signal }) => site.call('batchPlan', input, signal),
    storeBatchReport: async (input, { signal }) => site.call('storeBatchReport', input, signal),
    batchReport: async (input, { signal }) => site.call('batchReport', input, signal),
  } satisfies Partial<Calls>;
}

function groupCalls({ members, relays, rounds, served, paused, clock }: CallsOptions) {
  const describe = async (group: GroupId, signal: AbortSignal) => {
    const [described] = await served.describe(group, signal);
    if (described === undefined) throw new MoverError('GROUP_NOT_FOUND', `There is no consistency group "${group}".`);
    return described;
  };
  return {
    groups: async (_, { signal }) => ({ groups: await served.describe(undefined, signal) }),
    closePoint: async ({ group, bookmark, keep }, { signal }): Promise<RecoveryPoint> => {
      await served.require(group, signal);
      if (paused.has(group)) throw new MoverError('GROUP_PAUSED', `Replication of group "${group}" is paused.`);
      const point = await rounds.close({ group, kind: 'demand', waitMs: DEMAND_WAIT_MS, bookmark, keep, signal });
      if (point === undefined) throw new MoverError('INTERNAL', `No point of group "${group}" was closed.`);
      return point;
    },
    pauseGroup: async ({ group }, { signal }) => {
      await served.require(group, signal);
      paused.pause(group, clock.wallMs);
      relays.send('pause', members.known.membersOf(group));
      return describe(group, signal);
    },
    resumeGroup: async ({ group }, { signal }) => {
      await served.require(group, signal);
      paused.resume(group);
      relays.send('resume', members.known.membersOf(group));
      return describe(group, signal);
    },
  } satisfies Partial<Calls>;
}

/** Changes of groups. The site makes them; this appliance follows at once if one is its own. */
function groupLifeCalls({ site, served }: CallsOptions) {
  const follow = async <Changed>(changed: Changed, signal: AbortSignal): Promise<Changed> => {
    // The change is made. If the site can't be asked now, the next round of asking follows it.
    await served.refresh(signal).catch(() => undefined);
    return changed;
  };
  return {
    addGroup: async (input, { signal }) => follow(await site.call('addGroup', input, signal), signal),
    setGroup: async (input, { signal }) => follow(await site.call('setGroup', input, signal), signal),
    retireGroup: async (input, { signal }) => follow(await site.call('retireGroup', input, signal), signal),
  } satisfies Partial<Calls>;
}

function accessCalls({ accesses }: CallsOptions) {
  return {
    openAccess: async (input, { signal }) => accesses.open(input, signal),
    listAccesses: () => ({ accesses: accesses.list() }),
    closeAccess: async ({ access, client }) => accesses.close(access, client),
  } satisfies Partial<Calls>;
}

/** Faults that tests inject. */
function faultCalls({ link, rounds, faults }: CallsOptions) {
  return {
    setLink: (state) => {
      requireFaults(faults);
      link.set(state);
      return link.state;
    },
    setRounds: (state) => {
      requireFaults(faults);
      rounds.setFaults(state);
      return rounds.faults;
    },
  } satisfies Partial<Calls>;
}

function viewCalls({ appliance, site, link, relays, served, paused, nbd, clock, skews }: CallsOptions) {
  return {
    describe: () => ({
      appliance,
      link: link.state,
      pausedGroups: paused.all,
      servedGroups: served.all.map(({ group }) => group),
      nbd: nbd(),
      clock: clock.view,
      skews: skews.all,
    }),
    lag: async ({ volume }, { signal }) => {
      const [row] = await site.volumes({ volume }, signal);
      return { volume, bufferedBytes: relays.bytesInFlight(volume), undistributedBytes: row?.undistributedBytes ?? 0 };
    },
  } satisfies Partial<Calls>;
}
