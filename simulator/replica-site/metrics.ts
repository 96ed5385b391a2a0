// What the replica site tells Prometheus: how old each group's newest recoverable state is, what
// history costs, and what hinders.
import type { VolumeId } from '../../contracts/ids.js';
import { type Families, NAMED_SERIES_MAX } from '../../control/metrics/families.js';
import { Metrics, type MetricsSource } from '../../control/metrics/metrics.js';
import { rpoMsMaxOf } from './core/rpo.js';
import type { GroupRow } from './core/rows.js';
import type { SiteState } from './core/state.js';
import type { Journals } from './journals.js';
import type { RecoveryAges } from './recovery-ages.js';
import type { Site } from './site.js';

const MILLISECONDS = 1e3;

export const SITE_FAMILIES = {
  volume_mover_site_groups: { type: 'gauge', help: 'Consistency groups that are not retired.', labels: [] },
  volume_mover_site_volumes: { type: 'gauge', help: 'Replicated volumes.', labels: [] },
  volume_mover_site_initializing_volumes: {
    type: 'gauge',
    help: 'Volumes in short initialization: no recovery point contains them now.',
    labels: [],
  },
  volume_mover_site_stalled_volumes: {
    type: 'gauge',
    help: 'Volumes with a journal that the disk hinders.',
    labels: [],
  },
  volume_mover_site_unusable_volumes: {
    type: 'gauge',
    help: 'Volumes whose journal cannot be used: nothing of them is accepted or opened.',
    labels: [],
  },
  volume_mover_site_damaged_volumes: {
    type: 'gauge',
    help: 'Volumes with stored data that fail their checks.',
    labels: [],
  },
  volume_mover_site_undistributed_bytes: {
    type: 'gauge',
    help: 'Durable writes that are not applied to the replica volumes yet.',
    labels: [],
  },
  volume_mover_site_free_bytes: { type: 'gauge', help: 'Free space of the disk of the journals.', labels: [] },
  volume_mover_site_images: { type: 'gauge', help: 'Open images of recovery points.', labels: [] },
  volume_mover_site_attempts: { type: 'gauge', help: 'Attempts of moves that are open.', labels: [] },
  volume_mover_site_attempt_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest open attempt, by the wall clock; 0 without one.',
    labels: [],
  },
  volume_mover_site_groups_over_rpo: {
    type: 'gauge',
    help: 'Groups whose newest recoverable state is older than their RPO.',
    labels: [],
  },
  volume_mover_site_rpo_seconds: {
    type: 'gauge',
    help: 'Age of the newest recoverable state of the group that is worst off.',
    labels: [],
  },
  volume_mover_group_volumes: { type: 'gauge', help: 'Volumes of the group.', labels: ['group'] },
  volume_mover_group_points: { type: 'gauge', help: 'Recovery points of the group.', labels: ['group'] },
  volume_mover_group_bookmarks: {
    type: 'gauge',
    help: 'Recovery points of the group that have a bookmark.',
    labels: ['group'],
  },
  volume_mover_group_points_dropped_total: {
    type: 'counter',
    help: 'Points of the group that were dropped because its journal was full.',
    labels: ['group'],
  },
  volume_mover_group_journal_bytes: {
    type: 'gauge',
    help: 'Bytes kept for the group’s points when last measured, once a minute.',
    labels: ['group'],
  },
  volume_mover_group_journal_limit_bytes: {
    type: 'gauge',
    help: 'Limit of these bytes: retention.journalBytesMax.',
    labels: ['group'],
  },
  volume_mover_group_journal_full: {
    type: 'gauge',
    help: '1 while the group’s journal is full, and for an hour after.',
    labels: ['group'],
  },
  volume_mover_group_rpo_seconds: {
    type: 'gauge',
    help: 'Age of the newest state that has every volume of the group, by the clock of ages.',
    labels: ['group'],
  },
  volume_mover_group_rpo_threshold_seconds: {
    type: 'gauge',
    help: 'The RPO that the group may have.',
    labels: ['group'],
  },
  volume_mover_group_rpo_exceeded: {
    type: 'gauge',
    help: '1 while the group’s RPO is above its threshold.',
    labels: ['group'],
  },
  volume_mover_group_left_out_volumes: {
    type: 'gauge',
    help: 'Volumes that the group’s newest point leaves out.',
    labels: ['group'],
  },
  volume_mover_site_unnamed_groups: {
    type: 'gauge',
    help: `Groups without series of their own: all of them if there are more than ${NAMED_SERIES_MAX}.`,
    labels: [],
  },
} as const satisfies Families;

export interface SiteMetricsOptions {
  readonly site: Pick<Site, 'state' | 'now'>;
  readonly ages: RecoveryAges;
  readonly journals: Pick<Journals, 'open' | 'unusable'>;
  readonly openImages: () => number;
  /** Undefined if the system does not tell. */
  readonly freeBytes: () => number | undefined;
}

type SiteFamilies = typeof SITE_FAMILIES;

/** Reads counts that are kept anyway: one pass over groups and open journals, none over points. */
export function siteMetrics(options: SiteMetricsOptions): MetricsSource {
  return new Metrics(SITE_FAMILIES, (metrics) => {
    readJournals(metrics, options);
    readAttempts(metrics, options.site);
    readGroups(metrics, options);
    metrics.setOne('volume_mover_site_images', options.openImages());
    const free = options.freeBytes();
    metrics.set('volume_mover_site_free_bytes', free === undefined ? [] : [[{}, free]]);
  });
}

function readJournals(metrics: Metrics<SiteFamilies>, { site, journals }: SiteMetricsOptions): void {
  let [stalled, undistributedBytes] = [0, 0];
  const damaged = new Set<VolumeId>();
  for (const [volume, journal] of journals.open) {
    if (journal.stalls.size > 0) stalled += 1;
    if (journal.damage.length > 0) damaged.add(volume);
    undistributedBytes += journal.undistributedBytes;
  }
  metrics.setOne('volume_mover_site_initializing_volumes', site.state.initializingCount);
  metrics.setOne('volume_mover_site_stalled_volumes', stalled);
  metrics.setOne('volume_mover_site_damaged_volumes', damaged.size);
  metrics.setOne('volume_mover_site_unusable_volumes', journals.unusable.size);
  metrics.setOne('volume_mover_site_undistributed_bytes', undistributedBytes);
}

function readAttempts(metrics: Metrics<SiteFamilies>, { state, now }: Pick<Site, 'state' | 'now'>): void {
  const open = state.openAttempts();
  const openedMs = open.flatMap(({ name }) => state.attempts.get(name)?.record.contents?.openedAtMs ?? []);
  metrics.setOne('volume_mover_site_attempts', open.length);
  const oldestMs = Math.min(now.wallMs, ...openedMs);
  metrics.setOne('volume_mover_site_attempt_age_seconds', (now.wallMs - oldestMs) / MILLISECONDS);
}

/** A group and what is computed for it. */
interface GroupView {
  readonly row: GroupRow;
  /** Undefined for a group without volumes. */
  readonly rpoMs: number | undefined;
}

function readGroups(metrics: Metrics<SiteFamilies>, { site: { state, now }, ages }: SiteMetricsOptions): void {
  const groups: GroupView[] = [];
  let [volumes, over, worstMs] = [0, 0, 0];
  for (const row of state.groups.values()) {
    if (row.retired !== undefined) continue;
    const rpoMs = ages.rpoMs(row.group, now.ageMs);
    groups.push({ row, rpoMs });
    volumes += state.memberCount(row.group);
    worstMs = Math.max(worstMs, rpoMs ?? 0);
    if (isOver({ row, rpoMs })) over += 1;
  }
  metrics.setOne('volume_mover_site_groups', groups.length);
  metrics.setOne('volume_mover_site_volumes', volumes);
  metrics.setOne('volume_mover_site_groups_over_rpo', over);
  metrics.setOne('volume_mover_site_rpo_seconds', worstMs / MILLISECONDS);
  const isTooMany = groups.length > NAMED_SERIES_MAX;
  metrics.setOne('volume_mover_site_unnamed_groups', isTooMany ? groups.length : 0);
  nameGroups(metrics, state, ages, isTooMany ? [] : groups);
}

function nameGroups(
  metrics: Metrics<SiteFamilies>,
  state: SiteState,
  ages: RecoveryAges,
  groups: readonly GroupView[],
): void {
  const each = (value: (view: GroupView) => number) =>
    groups.map((view) => [{ group: view.row.group }, value(view)] as const);
  const withVolumes = groups.filter(({ rpoMs }) => rpoMs !== undefined);
  const protectedOnes = (value: (view: GroupView) => number) =>
    withVolumes.map((view) => [{ group: view.row.group }, value(view)] as const);
  metrics.set(
    'volume_mover_group_volumes',
    each(({ row }) => state.memberCount(row.group)),
  );
  metrics.set(
    'volume_mover_group_points',
    each(({ row }) => state.pointCount(row.group)),
  );
  metrics.set(
    'volume_mover_group_bookmarks',
    each(({ row }) => state.bookmarkCount(row.group)),
  );
  metrics.set(
    'volume_mover_group_points_dropped_total',
    each(({ row }) => row.journal.pointsDropped),
  );
  metrics.set(
    'volume_mover_group_journal_bytes',
    each(({ row }) => row.journal.bytes),
  );
  metrics.set(
    'volume_mover_group_journal_limit_bytes',
    each(({ row }) => row.retention.journalBytesMax),
  );
  metrics.set(
    'volume_mover_group_journal_full',
    each(({ row }) => Number(row.journal.alert !== undefined)),
  );
  metrics.set(
    'volume_mover_group_rpo_seconds',
    protectedOnes(({ rpoMs = 0 }) => rpoMs / MILLISECONDS),
  );
  metrics.set(
    'volume_mover_group_rpo_threshold_seconds',
    each(({ row }) => rpoMsMaxOf(row) / MILLISECONDS),
  );
  metrics.set(
    'volume_mover_group_rpo_exceeded',
    protectedOnes((view) => Number(isOver(view))),
  );
  metrics.set(
    'volume_mover_group_left_out_volumes',
    protectedOnes(({ row }) => ages.leftOut(row.group)),
  );
}

function isOver({ row, rpoMs }: GroupView): boolean {
  return rpoMs !== undefined && rpoMs > rpoMsMaxOf(row);
}
