// What a splitter tells Prometheus: how its volumes are replicated, what has not reached the
// replica site, and how long guests wait.
import { type Families, NAMED_SERIES_MAX } from '../../control/metrics/families.js';
import { Metrics } from '../../control/metrics/metrics.js';
import { replicationModeSchema, sourceStateSchema } from '../../contracts/splitter-api.js';
import type { SplitterCore } from './core/splitter-core.js';
import type { VolumeSplit } from './core/volume-split.js';
import { GuestRequests } from './volume/guest-requests.js';
import { nowMs } from './shared/clock.js';

const MILLISECONDS = 1e3;
/** The first are times of the page cache, the last those of a disk that guests take for broken. */
const REQUEST_BUCKETS = [
  0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 30,
];
/** A hold ends after 250 ms at the latest. */
const HOLD_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];

export const SPLITTER_FAMILIES = {
  volume_mover_splitter_volumes: {
    type: 'gauge',
    help: 'Volumes by how their writes reach the replica site.',
    labels: ['mode'],
  },
  volume_mover_splitter_sources: {
    type: 'gauge',
    help: 'Volumes by the state of their disk. Guests are refused every state but present.',
    labels: ['state'],
  },
  volume_mover_splitter_connected_volumes: {
    type: 'gauge',
    help: 'Volumes whose stream to their appliance is up.',
    labels: [],
  },
  volume_mover_splitter_stalled_volumes: {
    type: 'gauge',
    help: 'Volumes of which the replica site accepts nothing more now.',
    labels: [],
  },
  volume_mover_splitter_unusable_volumes: {
    type: 'gauge',
    help: 'Volumes that are not served, because of their row or files.',
    labels: [],
  },
  volume_mover_splitter_unconfirmed_bytes: {
    type: 'gauge',
    help: 'Writes that are numbered and not known to be durable at the replica site.',
    labels: ['group'],
  },
  volume_mover_splitter_backlog_bytes: {
    type: 'gauge',
    help: 'The part of the unconfirmed writes that fences hold back.',
    labels: ['group'],
  },
  volume_mover_splitter_lag_seconds: {
    type: 'gauge',
    help: 'Age of the oldest write that is not known to be durable at the replica site, by the wall clock.',
    labels: ['group'],
  },
  volume_mover_splitter_marked_regions: {
    type: 'gauge',
    help: 'Regions of 64 KiB that are marked.',
    labels: ['group'],
  },
  volume_mover_splitter_doubted_regions: {
    type: 'gauge',
    help: 'Marked regions that are compared before they are sent.',
    labels: ['group'],
  },
  volume_mover_splitter_resent_bytes_total: {
    type: 'counter',
    help: 'Bytes sent again by short initialization.',
    labels: [],
  },
  volume_mover_splitter_fences: { type: 'gauge', help: 'Volumes behind a fence.', labels: [] },
  volume_mover_splitter_lapsed_fences: {
    type: 'gauge',
    help: 'Volumes behind a fence whose lease ran out: the splitter asks for the verdict.',
    labels: [],
  },
  volume_mover_splitter_fence_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest fence, by the wall clock; 0 without one.',
    labels: [],
  },
  volume_mover_splitter_hold_seconds: {
    type: 'histogram',
    help: 'How long acknowledgements were withheld for a cut over several splitters.',
    labels: [],
    buckets: HOLD_BUCKETS,
  },
  volume_mover_guest_request_seconds: {
    type: 'histogram',
    help: 'Time from a guest’s request to its answer, in the splitter. Failed requests are not in it.',
    labels: ['operation'],
    buckets: REQUEST_BUCKETS,
  },
  volume_mover_guest_read_bytes_total: { type: 'counter', help: 'Bytes that guests have read.', labels: [] },
  volume_mover_guest_written_bytes_total: { type: 'counter', help: 'Bytes that guests have written.', labels: [] },
  volume_mover_volume_unconfirmed_bytes: {
    type: 'gauge',
    help: 'Writes of one volume that are not known to be durable at the replica site.',
    labels: ['volume', 'group'],
  },
  volume_mover_volume_lag_seconds: {
    type: 'gauge',
    help: 'Age of the volume’s oldest such write, by the wall clock; 0 without one.',
    labels: ['volume', 'group'],
  },
  volume_mover_volume_marked_regions: {
    type: 'gauge',
    help: 'Marked regions of one volume, of 64 KiB each.',
    labels: ['volume', 'group'],
  },
  volume_mover_volume_synced: {
    type: 'gauge',
    help: '1 while each write of the volume is numbered, sent and accepted; 0 in every other mode.',
    labels: ['volume', 'group'],
  },
  volume_mover_splitter_unnamed_volumes: {
    type: 'gauge',
    help: `Volumes without series of their own: all of them if there are more than ${NAMED_SERIES_MAX}.`,
    labels: [],
  },
} as const satisfies Families;

/** The sums of a group's volumes on this splitter. */
interface GroupSum {
  unconfirmedBytes: number;
  backlogBytes: number;
  lagMs: number;
  markedRegions: number;
  doubtedRegions: number;
}

/** What is read at a scrape. */
export interface SplitterView {
  readonly core: Pick<SplitterCore, 'volumes' | 'fenced'>;
  readonly unusable: ReadonlyMap<string, unknown>;
  /** Bytes sent again for volumes that were retired since. */
  readonly resentForRetiredBytes: number;
}

export class SplitterMetrics {
  readonly requests: GuestRequests;
  readonly #metrics: Metrics<typeof SPLITTER_FAMILIES>;

  constructor(view: () => SplitterView) {
    const metrics = new Metrics(SPLITTER_FAMILIES, () => this.#read(view()));
    this.#metrics = metrics;
    this.requests = new GuestRequests((operation) =>
      metrics.distribution('volume_mover_guest_request_seconds', { operation }),
    );
  }

  /** An acknowledgement was withheld. */
  held(ms: number): void {
    this.#metrics.observe('volume_mover_splitter_hold_seconds', {}, ms / MILLISECONDS);
  }

  async text(): Promise<string> {
    return this.#metrics.text();
  }

  /** Passes over the volumes once: numbers in memory, about 0.2 µs each. */
  #read({ core, unusable, resentForRetiredBytes }: SplitterView): void {
    const wallMs = nowMs();
    const modes = new Map<string, number>(replicationModeSchema.options.map((mode) => [mode, 0]));
    const states = new Map<string, number>(sourceStateSchema.options.map((state) => [state, 0]));
    const groups = new Map<string, GroupSum>();
    let [connected, stalled, resentBytes] = [0, 0, resentForRetiredBytes];
    const volumes = [...core.volumes];
    for (const split of volumes) {
      modes.set(split.mode, (modes.get(split.mode) ?? 0) + 1);
      states.set(split.sourceState, (states.get(split.sourceState) ?? 0) + 1);
      connected += Number(split.connected);
      stalled += Number(split.isStalled);
      resentBytes += split.resentBytes;
      addTo(groups, split, wallMs);
    }
    const metrics = this.#metrics;
    metrics.set(
      'volume_mover_splitter_volumes',
      [...modes].map(([mode, count]) => [{ mode }, count] as const),
    );
    metrics.set(
      'volume_mover_splitter_sources',
      [...states].map(([state, count]) => [{ state }, count] as const),
    );
    metrics.setOne('volume_mover_splitter_connected_volumes', connected);
    metrics.setOne('volume_mover_splitter_stalled_volumes', stalled);
    metrics.setOne('volume_mover_splitter_unusable_volumes', unusable.size);
    metrics.setOne('volume_mover_splitter_resent_bytes_total', resentBytes);
    metrics.setOne('volume_mover_guest_read_bytes_total', this.requests.readBytes);
    metrics.setOne('volume_mover_guest_written_bytes_total', this.requests.writtenBytes);
    this.#readFences(core.fenced, wallMs);
    this.#readGroups(groups);
    this.#readVolumes(volumes.length > NAMED_SERIES_MAX ? [] : volumes, wallMs);
    metrics.setOne('volume_mover_splitter_unnamed_volumes', volumes.length > NAMED_SERIES_MAX ? volumes.length : 0);
  }

  #readFences(fenced: readonly VolumeSplit[], wallMs: number): void {
    const fences = fenced.flatMap(({ row }) => row.fence ?? []);
    const oldestMs = Math.min(wallMs, ...fences.map(({ atMs }) => atMs));
    this.#metrics.setOne('volume_mover_splitter_fences', fences.length);
    this.#metrics.setOne('volume_mover_splitter_lapsed_fences', fences.filter(({ lapsed }) => lapsed).length);
    this.#metrics.setOne('volume_mover_splitter_fence_age_seconds', (wallMs - oldestMs) / MILLISECONDS);
  }

  #readGroups(sums: ReadonlyMap<string, GroupSum>): void {
    const named = sums.size > NAMED_SERIES_MAX ? [] : [...sums];
    const each = (value: (sum: GroupSum) => number) => named.map(([group, sum]) => [{ group }, value(sum)] as const);
    const metrics = this.#metrics;
    metrics.set(
      'volume_mover_splitter_unconfirmed_bytes',
      each(({ unconfirmedBytes }) => unconfirmedBytes),
    );
    metrics.set(
      'volume_mover_splitter_backlog_bytes',
      each(({ backlogBytes }) => backlogBytes),
    );
    metrics.set(
      'volume_mover_splitter_lag_seconds',
      each(({ lagMs }) => lagMs / MILLISECONDS),
    );
    metrics.set(
      'volume_mover_splitter_marked_regions',
      each(({ markedRegions }) => markedRegions),
    );
    metrics.set(
      'volume_mover_splitter_doubted_regions',
      each(({ doubtedRegions }) => doubtedRegions),
    );
  }

  #readVolumes(volumes: readonly VolumeSplit[], wallMs: number): void {
    const each = (value: (split: VolumeSplit) => number) =>
      volumes.map((split) => [{ volume: split.volume, group: split.row.route.group }, value(split)] as const);
    const metrics = this.#metrics;
    metrics.set(
      'volume_mover_volume_unconfirmed_bytes',
      each(({ unconfirmedBytes }) => unconfirmedBytes),
    );
    metrics.set(
      'volume_mover_volume_lag_seconds',
      each((split) => lagMs(split, wallMs) / MILLISECONDS),
    );
    metrics.set(
      'volume_mover_volume_marked_regions',
      each(({ marks }) => marks.marked),
    );
    metrics.set(
      'volume_mover_volume_synced',
      each(({ mode }) => Number(mode === 'SYNCED')),
    );
  }
}

function addTo(groups: Map<string, GroupSum>, split: VolumeSplit, wallMs: number): void {
  const { group } = split.row.route;
  let sum = groups.get(group);
  if (sum === undefined) {
    sum = { unconfirmedBytes: 0, backlogBytes: 0, lagMs: 0, markedRegions: 0, doubtedRegions: 0 };
    groups.set(group, sum);
  }
  sum.unconfirmedBytes += split.unconfirmedBytes;
  sum.backlogBytes += split.backlogBytes;
  sum.lagMs = Math.max(sum.lagMs, lagMs(split, wallMs));
  sum.markedRegions += split.marks.marked;
  sum.doubtedRegions += split.marks.doubted;
}

/** Never below 0: the clock may have been set back since the write. */
function lagMs({ waitingSinceMs }: VolumeSplit, wallMs: number): number {
  return waitingSinceMs === undefined ? 0 : Math.max(0, wallMs - waitingSinceMs);
}
