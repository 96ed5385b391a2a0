// The checks of a plan, each with its finding: what the move itself will check, and what a person
// should know before. It only reads.
import type { AppliancePort, Ports } from '../../control/ports.js';
import { findGroup } from '../../control/site-lookup.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { MovePlan, ParsedMoveInput, PlanCheck } from '../../contracts/move.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { longestKeepMs } from '../../contracts/retention.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import { duration } from '../text/format.js';

/** Share of a journal's limit above which points may soon be dropped for want of room. */
const JOURNAL_SHARE_WARNED = 0.8;
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;

type Name = PlanCheck['check'];

/** What each check finds when there is nothing against the move, and the codes of its refusals. */
const PLANNED: readonly (readonly [check: Name, codes: readonly ErrorCode[], passes: string])[] = [
  [
    'volumes',
    ['VOLUME_NOT_FOUND', 'VOLUME_RETIRED', 'ALREADY_THERE', 'INVALID_REQUEST'],
    'the volumes exist, in one group that is not the target',
  ],
  ['other moves', ['VOLUME_BUSY', 'STILL_REVERSIBLE'], 'no other move of the volumes is under way or can be reversed'],
  ['target group', ['GROUP_NOT_FOUND', 'GROUP_RETIRED', 'GROUP_FULL'], 'the group exists and has room'],
  ['owners', ['NOT_OWNER', 'GROUP_PAUSED'], 'both groups are served by the appliances that own them, and not paused'],
  ['splitters', ['PENDING_VERDICT', 'SOURCE_UNREADABLE'], 'the splitters know the owner, and can read the disks'],
];
const PROCESSES_PASS = 'every process that takes part answers';

/**
 * The checks of a plan: its reasons as refusals, and warnings about what does not stop the move.
 * What does not answer is a refusal of the plan already and is not asked again.
 */
export async function planChecks(ports: Ports, input: ParsedMoveInput, plan: MovePlan): Promise<PlanCheck[]> {
  const { from, to } = plan;
  const [source, target, views] = await Promise.all([
    from === undefined ? undefined : ifAnswers(findGroup(ports, from.group)),
    to === undefined ? undefined : ifAnswers(findGroup(ports, to.group)),
    splitterViews(ports, plan),
  ]);
  return [
    ...plannedChecks(plan),
    ...(views.size === 0 ? [] : replicationChecks(input, plan, views)),
    ...(to === undefined ? [] : reachChecks(plan, to.appliance, views)),
    ...(source === undefined || target === undefined ? [] : recoveryChecks(source, target)),
    ...(plan.volumes.length === 0 ? [] : await imageChecks(ports, plan)),
    ...clockChecks(plan),
  ];
}

function plannedChecks({ reasons, volumes, from, to }: MovePlan): PlanCheck[] {
  // What could not be looked at has no finding.
  const lookedAt: Partial<Record<Name, boolean>> = {
    'other moves': volumes.length > 0,
    owners: from !== undefined && to !== undefined,
    splitters: volumes.length > 0,
  };
  const known = new Set(PLANNED.flatMap(([, codes]) => codes));
  const refusals = (check: Name, isMine: (code: ErrorCode) => boolean, passes: string): PlanCheck[] => {
    const mine = reasons.filter(({ code }) => isMine(code));
    if (mine.length === 0 && lookedAt[check] === false) return [];
    return mine.length === 0
      ? [{ check, result: 'pass', message: passes }]
      : mine.map(({ code, subject, message }) => ({
          check,
          result: 'refuse',
          code,
          message: `${message}${code === 'VOLUME_BUSY' ? leaseText(volumes, subject) : ''}`,
        }));
  };
  return [
    ...PLANNED.flatMap(([check, codes, passes]) => refusals(check, (code) => codes.includes(code), passes)),
    ...refusals('processes', (code) => !known.has(code), PROCESSES_PASS),
  ];
}

/** How long a move that no longer runs still holds the volume. One that runs renews its lease. */
function leaseText(volumes: MovePlan['volumes'], subject: string): string {
  const { heldForMs } = volumes.find(({ volume }) => volume === subject) ?? {};
  return heldForMs === undefined ? '' : `; if that move no longer runs, for ${duration(heldForMs)} more`;
}

/** Whether each volume is in step with its replica; the move waits until it is. */
function replicationChecks(
  { options: { lagBytesMax, lagWaitMs } }: ParsedMoveInput,
  { volumes }: MovePlan,
  views: ReadonlyMap<string, readonly SplitterVolume[]>,
): PlanCheck[] {
  const waits = `the move waits before its fence, ${lagWaitMs / SECOND_MS} s at most`;
  const checks = volumes.flatMap(({ volume, splitter }): PlanCheck[] => {
    const view = views.get(splitter)?.find((each) => each.volume === volume);
    if (view === undefined) return [];
    const warn = (what: string): PlanCheck[] => [
      { check: 'replication', result: 'warn', message: `volume "${volume}" ${what}; ${waits}` },
    ];
    if (!view.connected) return warn('is not connected to its appliance');
    if (view.mode !== 'SYNCED') return warn(`is ${view.mode}, not in step with its replica`);
    if (view.stalled !== undefined) return warn('is stalled at the replica site');
    return view.unconfirmedBytes > lagBytesMax ? warn(`has ${view.unconfirmedBytes} bytes in transit`) : [];
  });
  return orPass(checks, 'replication', 'the volumes are in step with their replicas');
}

/**
 * Whether the splitters reach the target's appliance. Another volume of theirs that is connected to
 * it proves it; without one only the move's first step can tell.
 */
function reachChecks(
  { volumes }: MovePlan,
  appliance: string,
  views: ReadonlyMap<string, readonly SplitterVolume[]>,
): PlanCheck[] {
  const splitters = [...new Set(volumes.map(({ splitter }) => splitter))].filter((splitter) => views.has(splitter));
  return splitters.map((splitter): PlanCheck => {
    const there = (views.get(splitter) ?? []).filter(({ route }) => route.appliance === appliance);
    const link = `splitter "${splitter}" to appliance "${appliance}"`;
    if (there.some(({ connected }) => connected))
      return { check: 'reachability', result: 'pass', message: `${link}: connected, by another volume` };
    const what = there.length > 0 ? 'none of its volumes there is connected' : 'no volume uses this connection yet';
    return {
      check: 'reachability',
      result: 'warn',
      message: `${link}: ${what}; the first step tries it, and changes nothing if it fails`,
    };
  });
}

/** What the target group promises less of than the source group. */
function recoveryChecks(source: SiteGroup, target: SiteGroup): PlanCheck[] {
  const [before, after] = [source.pointEveryMs, target.pointEveryMs];
  const interval = `a recovery point each ${after / SECOND_MS} s (now ${before / SECOND_MS} s)`;
  const [kept, keeps] = [longestKeepMs(source.retention), longestKeepMs(target.retention)];
  return [
    { check: 'recovery point interval', result: after > before ? 'warn' : 'pass', message: interval },
    {
      check: 'retention',
      result: keeps < kept ? 'warn' : 'pass',
      message: `group "${target.group}" keeps new points ${daysText(keeps)} (now ${daysText(kept)}); points of before stay as promised`,
    },
    journalCheck(target),
  ];
}

/** @example "28 d", "36 h" */
function daysText(ms: number): string {
  const hours = Math.round(ms / HOUR_MS);
  return hours > DAY_HOURS && hours % DAY_HOURS === 0 ? `${hours / DAY_HOURS} d` : `${hours} h`;
}

function journalCheck({ group, journal: { bytes, alert }, retention: { journalBytesMax } }: SiteGroup): PlanCheck {
  const used = `the journal of "${group}" uses ${Math.round((bytes / journalBytesMax) * 100)} % of its room`;
  const isNear = alert !== undefined || bytes > journalBytesMax * JOURNAL_SHARE_WARNED;
  return {
    check: 'journal room',
    result: isNear ? 'warn' : 'pass',
    message: isNear ? `${used}; when it is full the group drops its oldest points` : used,
  };
}

/** Open images of the volumes. They stay open at their points, and keep history that they need. */
async function imageChecks(ports: Ports, { volumes }: MovePlan): Promise<PlanCheck[]> {
  const moving = new Set<string>(volumes.map(({ volume }) => volume));
  const open = async ({ calls }: AppliancePort): Promise<string[]> =>
    (await calls.listAccesses({})).accesses
      .filter(({ ended, exports }) => ended === undefined && exports.some(({ volume }) => moving.has(volume)))
      .map(({ id }) => id);
  const found = await Promise.all(
    [...ports.appliances.values()].map(async (appliance): Promise<string[]> => {
      const ids = await ifAnswers(open(appliance));
      if (ids === undefined) return [`appliance "${appliance.id}" does not tell which images are open there`];
      return ids.map((id) => `image access "${id}" is open; it stays open at its point`);
    }),
  );
  const warnings = found.flat().map((message): PlanCheck => ({ check: 'image accesses', result: 'warn', message }));
  return orPass(warnings, 'image accesses', 'no image of the volumes is open');
}

function clockChecks({ warnings = [] }: MovePlan): PlanCheck[] {
  const found = warnings.map((message): PlanCheck => ({ check: 'clocks', result: 'warn', message }));
  return orPass(found, 'clocks', 'the clocks of all processes agree');
}

function orPass(checks: PlanCheck[], check: Name, message: string): PlanCheck[] {
  return checks.length > 0 ? checks : [{ check, result: 'pass', message }];
}

async function splitterViews(ports: Ports, { volumes }: MovePlan): Promise<Map<string, readonly SplitterVolume[]>> {
  const wanted = new Set(volumes.map(({ splitter }) => splitter));
  const views = new Map<string, readonly SplitterVolume[]>();
  await Promise.all(
    [...ports.splitters.values()]
      .filter(({ id }) => wanted.has(id))
      .map(async ({ id, calls }) => {
        const answer = await ifAnswers(calls.inventory({}));
        if (answer !== undefined) views.set(id, answer.volumes);
      }),
  );
  return views;
}

async function ifAnswers<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof MoverError) return undefined;
    throw error;
  }
}
