// What an appliance tells Prometheus: what it relays, the points it closes, and who reads images.
import { type Families, NAMED_SERIES_MAX } from '../../control/metrics/families.js';
import { Metrics, type MetricsSource } from '../../control/metrics/metrics.js';
import type { Accesses } from './images/accesses.js';
import type { ScratchFolder } from './images/scratch-folder.js';
import type { Link } from './link.js';
import type { PausedGroups } from './paused-groups.js';
import type { PointTimer } from './point-timer.js';
import type { Relays } from './relays.js';
import type { Rounds } from './rounds.js';
import type { ServedGroups } from './served-groups.js';

export const APPLIANCE_FAMILIES = {
  volume_mover_appliance_site_reachable: {
    type: 'gauge',
    help: '0 when the replica site could not be reached for a splitter that connected last.',
    labels: [],
  },
  volume_mover_appliance_streams: { type: 'gauge', help: 'Connected splitters.', labels: [] },
  volume_mover_appliance_attached_volumes: {
    type: 'gauge',
    help: 'Volumes whose writes are relayed.',
    labels: [],
  },
  volume_mover_appliance_queued_bytes: {
    type: 'gauge',
    help: 'Writes that were relayed and that the replica site has not confirmed yet.',
    labels: [],
  },
  volume_mover_appliance_relayed_bytes_total: {
    type: 'counter',
    help: 'Bytes sent to the replica site.',
    labels: [],
  },
  volume_mover_appliance_groups: { type: 'gauge', help: 'Groups that this appliance serves.', labels: [] },
  volume_mover_appliance_paused_groups: {
    type: 'gauge',
    help: 'Groups whose replication a person has paused.',
    labels: [],
  },
  volume_mover_appliance_failing_groups: {
    type: 'gauge',
    help: 'Served groups whose last recovery point could not be closed.',
    labels: [],
  },
  volume_mover_appliance_skipped_points_total: {
    type: 'counter',
    help: 'Recovery points that were not closed, because a splitter did not answer or did not hold.',
    labels: ['group'],
  },
  volume_mover_appliance_image_accesses: {
    type: 'gauge',
    help: 'Open image accesses.',
    labels: ['access'],
  },
  volume_mover_appliance_scratch_bytes: {
    type: 'gauge',
    help: 'What was written to writable image accesses.',
    labels: [],
  },
} as const satisfies Families;

export interface ApplianceMetricsOptions {
  readonly link: Pick<Link, 'sentBytes' | 'state'>;
  readonly relays: Pick<Relays, 'allBytesInFlight' | 'streams' | 'attachedVolumes' | 'siteGone'>;
  readonly served: Pick<ServedGroups, 'all'>;
  readonly paused: Pick<PausedGroups, 'all'>;
  readonly rounds: Pick<Rounds, 'skippedOf'>;
  readonly points: Pick<PointTimer, 'failingCount'>;
  readonly accesses: Pick<Accesses, 'counts'>;
  readonly scratch: Pick<ScratchFolder, 'bytes'>;
}

export function applianceMetrics(options: ApplianceMetricsOptions): MetricsSource {
  const { link, relays, served, paused, rounds, points, accesses, scratch } = options;
  return new Metrics(APPLIANCE_FAMILIES, (metrics) => {
    const groups = served.all;
    const isReachable = !relays.siteGone && !link.state.cut;
    metrics.setOne('volume_mover_appliance_site_reachable', Number(isReachable));
    metrics.setOne('volume_mover_appliance_streams', relays.streams);
    metrics.setOne('volume_mover_appliance_attached_volumes', relays.attachedVolumes);
    metrics.setOne('volume_mover_appliance_queued_bytes', relays.allBytesInFlight);
    metrics.setOne('volume_mover_appliance_relayed_bytes_total', link.sentBytes);
    metrics.setOne('volume_mover_appliance_groups', groups.length);
    metrics.setOne('volume_mover_appliance_paused_groups', paused.all.length);
    metrics.setOne('volume_mover_appliance_failing_groups', points.failingCount);
    metrics.set(
      'volume_mover_appliance_skipped_points_total',
      (groups.length > NAMED_SERIES_MAX ? [] : groups).map(
        ({ group }) => [{ group }, rounds.skippedOf(group)] as const,
      ),
    );
    const { readOnly, writable } = accesses.counts;
    metrics.set('volume_mover_appliance_image_accesses', [
      [{ access: 'read-only' }, readOnly],
      [{ access: 'writable' }, writable],
    ]);
    metrics.setOne('volume_mover_appliance_scratch_bytes', scratch.bytes);
  });
}
