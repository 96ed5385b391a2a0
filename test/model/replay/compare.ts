// Whether the specification and the cores are in the same state, variable by variable.
import { attemptName } from '../../../contracts/attempt.js';
import type { Scenario } from '../scenario.js';
import type { SiteView } from '../site-part.js';
import type { VolumeView } from '../splitter-part.js';
import type { SpecSplit, SpecWorld } from './spec.js';

/** One sentence for each variable that differs. */
export function differencesOf(
  scenario: Scenario,
  world: SpecWorld,
  site: SiteView,
  views: readonly VolumeView[],
): string[] {
  return [
    ...views.flatMap((view, v) => {
      const split = world.splits.get(v);
      return split === undefined ? [`the specification has no volume ${v}`] : ofSplitter(v, split, view);
    }),
    ...scenario.volumes.flatMap(({ volume }, v) => ofVolume(v, world, site, volume)),
    ...scenario.tries.flatMap((_try, i) => ofRecord(i + 1, scenario, world, site)),
  ];
}

function unlike(what: string, spec: unknown, core: unknown): string[] {
  const [specified, real] = [JSON.stringify(spec), JSON.stringify(core)];
  return specified === real ? [] : [`${what}: the specification has ${specified}, the core ${real}`];
}

function ofSplitter(v: number, split: SpecSplit, view: VolumeView): string[] {
  const { row } = view;
  const { fence, decided } = row;
  const of = (what: string): string => `${what} of volume ${v} at its splitter`;
  return [
    ...unlike(of('route'), [split.group, split.epoch], [row.route.group, row.route.epoch]),
    ...unlike(of('notice'), split.notice, row.notice?.attempt.ticket ?? 0),
    ...unlike(of('fence'), split.fence, fence?.attempt.ticket ?? 0),
    ...(fence === undefined
      ? []
      : [
          ...unlike(of('cut'), [split.cut.s, split.cut.n], [fence.cut.session, fence.cut.n]),
          ...unlike(of('lapsed'), split.lapsed, fence.lapsed),
          ...unlike(of('void'), split.void, view.isVoid),
        ]),
    ...unlike(of('decided'), split.decided, decided?.attempt.ticket ?? 0),
    ...unlike(of('verdict'), split.verdict, decided?.verdict ?? ''),
    ...unlike(of('forgotten'), split.gone, row.forgotten ?? 0),
    ...unlike(of('source'), split.source, view.source),
    ...unlike(of('mark'), split.mark, view.isMarked),
    ...unlike(of('dirty'), split.dirty, view.isDirty),
    ...unlike(of('session'), split.session, view.claim.session),
    ...unlike(of('last number'), split.lastN, view.lastN),
    ...unlike(of('empty queue'), split.queue.length === 0, view.isDrained),
    ...unlike(of('synced'), split.synced, view.isSynced),
    ...unlike(of('connected'), split.connected, view.isConnected),
    ...unlike(of('hold'), split.holds.length > 0, view.isHeld),
  ];
}

function ofVolume(
  v: number,
  { vols }: SpecWorld,
  site: SiteView,
  volume: Parameters<SiteView['volumes']['get']>[0],
): string[] {
  const spec = vols.get(v);
  const row = site.volumes.get(volume);
  const records = site.lineages.get(volume)?.records ?? [];
  const of = (what: string): string => `${what} of volume ${v} at the site`;
  return [
    ...unlike(of('owner'), [spec?.group, spec?.epoch], [row?.group, row?.epoch]),
    ...unlike(of('session'), spec?.session, row?.session),
    ...unlike(of('sealed'), spec?.sealed, row?.sealed),
    ...unlike(of('hole'), spec?.hole, row?.openHole !== undefined),
    ...unlike(of('acknowledged ticket'), spec?.over, row?.over ?? 0),
    ...unlike(
      of('log'),
      spec?.log.map(({ s, n, e, kind, tok }) => [s, n, e, kind, tok]),
      records.map(({ session, n, epoch, kind, token }) => [session, n, epoch, kind, token]),
    ),
  ];
}

function ofRecord(t: number, scenario: Scenario, { records }: SpecWorld, site: SiteView): string[] {
  const attempt = scenario.tries[t - 1]?.attempt;
  const spec = records.get(t);
  if (attempt === undefined || spec === undefined) return [`there is no try ${t}`];
  const name = attemptName(attempt);
  const record = site.forgotten.has(name) ? undefined : site.attempts.get(name);
  const of = (what: string): string => `${what} of try ${t}`;
  const left = record?.left;
  const content = site.points.find(({ row }) => row.point.id === left?.point)?.content;
  return [
    ...unlike(of('state'), spec.state, record?.state ?? 'NONE'),
    ...unlike(of('ticket'), spec.ticket, record?.contents?.ticket ?? 0),
    ...unlike(of('seal'), spec.isSealed, left !== undefined),
    ...unlike(of('bookmark'), spec.isBookmarked, left?.bookmarked === true),
    ...unlike(of('join'), spec.isJoined, record?.joined !== undefined),
    ...(left === undefined
      ? []
      : scenario.volumes.flatMap(({ volume }, v) => {
          const seal = record?.seals.find((candidate) => candidate.volume === volume);
          const cut = spec.cuts.get(v);
          return [
            ...unlike(of(`cut of volume ${v}`), [cut?.s, cut?.n], [seal?.session, seal?.n]),
            ...unlike(of(`content of volume ${v}`), spec.left.get(v), content?.get(volume)),
          ];
        })),
  ];
}
