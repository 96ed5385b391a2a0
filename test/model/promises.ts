// The promises of docs/reliability.md as predicates over states. Those about one part are looked at
// once for each state of that part.
import type { AttemptRecord } from '../../contracts/attempt.js';
import { attemptName } from '../../contracts/attempt.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { Answer } from './mover.js';
import type { Scenario } from './scenario.js';
import type { LineageView, SiteView } from './site-part.js';
import type { SplitterView, VolumeView } from './splitter-part.js';

/** A promise that does not hold. */
export class Broken extends Error {}

function promise(holds: boolean, otherwise: () => string): void {
  if (!holds) throw new Broken(otherwise());
}

/**
 * Promises about the replica site alone.
 * @param before the state that led to `after`: only the step is judged; undefined: only `after`
 */
export function judgeSite(scenario: Scenario, before: SiteView | undefined, after: SiteView): void {
  if (before !== undefined) {
    judgeVerdicts(before, after);
    return;
  }
  for (const { attempt, state, contents, joined } of after.attempts.values())
    judgeBookmarks(after, { attempt, state, contents, joined });
  judgeGroups(after);
  for (const [volume, lineage] of after.lineages) judgeLineage(scenario, after, volume, lineage);
  judgePoints(scenario, after);
}

/** Promises 3 and 6: a ticket and a verdict are given once, also when they are forgotten. */
function judgeVerdicts(before: SiteView, after: SiteView): void {
  for (const name of before.forgotten)
    promise(after.forgotten.has(name), () => `${name} was forgotten, and is there again`);
  for (const [name, { state, contents }] of before.attempts) {
    const now = after.attempts.get(name);
    const isSame = now?.state === state || (state === 'OPEN' && now !== undefined);
    promise(isSame, () => `the verdict of ${name} was ${state} and is ${now?.state ?? 'gone'}`);
    const ticket = contents?.ticket;
    promise(ticket === now?.contents?.ticket, () => `${name} had ticket ${ticket}, and has another`);
  }
}

/**
 * Promise 5: a committed attempt left one bookmark in force, and one more once it joined. An open
 * or aborted attempt has none in force.
 */
function judgeBookmarks(
  site: SiteView,
  { attempt, state, joined }: Pick<AttemptRecord, 'attempt' | 'state' | 'contents' | 'joined'>,
): void {
  const name = attemptName(attempt);
  const mine = site.points.filter(({ row }) => {
    const { bookmark } = row.point;
    return bookmark?.attempt !== undefined && attemptName(bookmark.attempt) === name;
  });
  const inForce = mine.filter(({ row }) => row.point.bookmark?.pending === false);
  const left = inForce.filter(({ row }) => row.point.kind === 'left').length;
  const join = inForce.filter(({ row }) => row.point.kind === 'joined').length;
  promise(state !== 'ABORTED' || mine.length === 0, () => `${name} was aborted and left a bookmark`);
  promise(state !== 'OPEN' || inForce.length === 0, () => `${name} is open and has a bookmark in force`);
  promise(
    state !== 'COMMITTED' || (left === 1 && join === (joined === undefined ? 0 : 1)),
    () => `${name} is committed with ${left} "left" and ${join} "joined" bookmarks`,
  );
}

/** Promise 3: all volumes of the moves here are in one group, at one epoch. */
function judgeGroups({ volumes }: SiteView): void {
  const places = new Set([...volumes.values()].map(({ group, epoch }) => `${group} at ${epoch}`));
  promise(places.size === 1, () => `the volumes of one move are in ${[...places].join(' and ')}`);
}

/** Promises 1 and 2: in order, nothing left out, and each record under its owner's epoch. */
function judgeLineage(scenario: Scenario, site: SiteView, volume: VolumeId, { records }: LineageView): void {
  const tokens = scenario.writes.flatMap((written, i) => (written === volume ? [i + 1] : []));
  let newest = 0;
  for (const [i, { kind, token, epoch }] of records.entries()) {
    const position = i + 1;
    // The owners before the first known one are forgotten.
    if (position <= (site.owners.get(volume)?.[0]?.fromPosition ?? 0)) continue;
    const owner = site.owners
      .get(volume)
      ?.find(({ fromPosition, toPosition }) => fromPosition < position && (toPosition ?? Infinity) >= position);
    promise(
      owner?.epoch === epoch,
      () =>
        `position ${position} of ${volume} came at epoch ${epoch}, and belongs to ${owner?.group} at ${owner?.epoch}`,
    );
    if (kind !== 'write') continue;
    promise(token >= newest, () => `write ${token} of ${volume} came after write ${newest}`);
    const isGap = tokens.some((other) => other > newest && other < token);
    promise(
      !isGap || site.holes.get(volume)?.has(position) === true,
      () => `write ${token} of ${volume} came right after write ${newest}, and there is no hole`,
    );
    newest = token;
  }
}

/** Promise 4: the members of each point hold a prefix of the guest's writes. */
function judgePoints({ writes }: Scenario, { points }: SiteView): void {
  for (const { row, content } of points) {
    const newest = Math.max(0, ...content.values());
    for (const [volume, token] of content) {
      const expected = writes.slice(0, newest).lastIndexOf(volume) + 1;
      promise(
        token === expected,
        () =>
          `point ${row.point.id} (${row.point.kind}) contains write ${newest}, and ${volume} at ${token} not ${expected}`,
      );
    }
  }
}

/** Promises about a splitter and the site together. */
export function judgeTogether(site: SiteView, volumes: ReadonlyMap<VolumeId, VolumeView>): void {
  for (const [volume, { source, isMarked, row }] of volumes) {
    // Promise 2: durable at the site, or marked.
    const durable = site.lineages.get(volume)?.newest;
    promise(
      source === durable || isMarked,
      () => `the source of ${volume} has write ${source}, the replica site ${durable}, and there is no mark`,
    );
    // Promise 6: an attempt that the site has forgotten comes up nowhere.
    for (const known of [row.notice, row.fence]) {
      const name = known === undefined ? '' : attemptName(known.attempt);
      promise(!site.forgotten.has(name), () => `${volume} has a notice or fence of ${name}, which is forgotten`);
    }
    // Promises 3 and 7: a splitter obeys the verdict, and never one that nobody gave.
    const { decided, route } = row;
    if (decided !== undefined) {
      const name = attemptName(decided.attempt);
      const verdict = site.attempts.get(name)?.state;
      promise(
        decided.verdict === verdict,
        () => `the splitter of ${volume} took ${name} for ${decided.verdict}, and the site has it ${verdict}`,
      );
    }
    const owner = site.volumes.get(volume);
    promise(
      owner !== undefined &&
        (route.epoch < owner.epoch || (route.epoch === owner.epoch && route.group === owner.group)),
      () =>
        `${volume} is sent to ${route.group} at ${route.epoch}, and its owner is ${owner?.group} at ${owner?.epoch}`,
    );
  }
}

/**
 * Promise 6: a fence is raised once for each ticket, and its cut stands. A call that is answered
 * again gets the same cut by that.
 */
export function judgeSplitter(before: SplitterView | undefined, after: SplitterView): void {
  if (before === undefined) return;
  for (const [volume, { row: now }] of after.volumes) {
    const was = before.volumes.get(volume)?.row;
    const { fence } = now;
    if (was === undefined || fence === undefined) continue;
    const { ticket } = fence.attempt;
    if (was.fence?.attempt.ticket === ticket)
      promise(
        was.fence.cut.n === fence.cut.n && was.fence.cut.session === fence.cut.session,
        () => `the cut of ${volume} for ticket ${ticket} is not where it was`,
      );
    else
      promise(
        ticket > (was.decided?.attempt.ticket ?? 0) && was.fence === undefined,
        () => `the fence of ticket ${ticket} was raised on ${volume} though it was over or another one stood`,
      );
  }
}

/** Promise 6: no call is answered with held and not held, unless the splitter was restarted. */
export function judgeHolds(answers: readonly Answer[]): void {
  const first = new Map<string, boolean>();
  for (const { request, held } of answers) {
    if (held === undefined) continue;
    const known = first.get(request) ?? held;
    promise(known === held, () => `"${request}" was answered with held and not held`);
    first.set(request, known);
  }
}
