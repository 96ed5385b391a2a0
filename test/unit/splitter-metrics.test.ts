// What a splitter tells Prometheus: read from its core, whose times a test chooses.
import { expect, test } from 'vitest';
import type { Endpoint } from '../../contracts/attempt.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../contracts/ids.js';
import { NAMED_SERIES_MAX } from '../../control/metrics/families.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { Marks } from '../../simulator/splitter/core/marks.js';
import { SplitterCore } from '../../simulator/splitter/core/splitter-core.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { type SplitterView, SplitterMetrics } from '../../simulator/splitter/metrics.js';
import { monotonicMs } from '../../simulator/splitter/shared/clock.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';
import { LIFE, LINEAGE, SOURCE } from '../support/identities.js';
import { type MetricsPage, parseMetrics } from '../support/metrics-page.js';
import { NO_SPILL } from '../support/spill-files.js';

const SPLITTER = splitterIdSchema.parse('s1');
const V1 = volumeIdSchema.parse('v1');
const V2 = volumeIdSchema.parse('v2');
const GOLD = endpoint('gold');
const SILVER = endpoint('silver');
const SIZE_BYTES = 1024 * 1024;
const BLOCK = Buffer.alloc(4_096, 7);
const MINUTE_MS = 60_000;

function endpoint(group: string): Endpoint {
  return { group: groupIdSchema.parse(group), appliance: applianceIdSchema.parse('a1'), url: 'http://a1.test' };
}

class Host {
  readonly core: SplitterCore;
  readonly #metrics: SplitterMetrics;
  resentForRetiredBytes = 0;

  constructor(volumes: readonly VolumeId[]) {
    const budget = new MemoryBudget(SIZE_BYTES);
    this.core = new SplitterCore({
      splitter: SPLITTER,
      life: LIFE,
      volumes: volumes.map((volume) => splitOf(volume, budget)),
      store: () => undefined,
    });
    for (const split of this.core.volumes) split.attached({ n: 0, lineage: LINEAGE, base: 0 });
    const view = (): SplitterView => ({
      core: this.core,
      unusable: new Map([['v9', {}]]),
      resentForRetiredBytes: this.resentForRetiredBytes,
    });
    this.#metrics = new SplitterMetrics(view);
  }

  get metrics(): SplitterMetrics {
    return this.#metrics;
  }

  write(volume: VolumeId, atMs: number): void {
    const split = this.core.volume(volume);
    split.begin(0, BLOCK.length);
    split.complete({ kind: 'write', offset: 0, length: BLOCK.length, data: BLOCK }, atMs);
  }

  async page(): Promise<MetricsPage> {
    return parseMetrics(await this.#metrics.text());
  }
}

function splitOf(volume: VolumeId, budget: MemoryBudget): VolumeSplit {
  return new VolumeSplit({
    row: { volume, sizeBytes: SIZE_BYTES, route: { ...GOLD, epoch: 1 }, source: SOURCE, proven: true },
    splitter: SPLITTER,
    session: 1,
    life: LIFE,
    marks: new Marks(SIZE_BYTES),
    budget,
    spill: NO_SPILL,
    queueMaxBytes: SIZE_BYTES,
    nowMs: 0,
    beganAtMs: 0,
    startReason: 'splitter restarted',
  });
}

test('lag is the age of the oldest unconfirmed write, by volume and at its worst by group', async () => {
  const host = new Host([V1, V2]);
  expect((await host.page()).value('volume_mover_splitter_lag_seconds', { group: 'gold' })).toBe(0);
  host.write(V1, Date.now() - 2 * MINUTE_MS);
  host.write(V1, Date.now() - MINUTE_MS);
  host.write(V2, Date.now() - MINUTE_MS);
  const page = await host.page();
  const lagS = (volume: string): number => page.value('volume_mover_volume_lag_seconds', { volume, group: 'gold' });
  expect(lagS('v1')).toBeGreaterThanOrEqual(120);
  expect(lagS('v2')).toBeGreaterThanOrEqual(60);
  expect(lagS('v2')).toBeLessThan(lagS('v1'));
  expect(page.value('volume_mover_splitter_lag_seconds', { group: 'gold' })).toBe(lagS('v1'));
  expect(page.value('volume_mover_splitter_unconfirmed_bytes', { group: 'gold' })).toBe(3 * BLOCK.length);
  expect(page.value('volume_mover_volume_unconfirmed_bytes', { volume: 'v2' })).toBe(BLOCK.length);
  expect(page.value('volume_mover_splitter_marked_regions', { group: 'gold' })).toBe(2);
  host.core.volume(V1).receipt(1);
  expect((await host.page()).value('volume_mover_volume_lag_seconds', { volume: 'v1' })).toBeLessThan(lagS('v1'));
  host.core.volume(V1).receipt(2);
  expect((await host.page()).value('volume_mover_volume_lag_seconds', { volume: 'v1' })).toBe(0);
});

test('a volume that keeps only marks lags since then, though nothing is queued', async () => {
  const host = new Host([V1]);
  host.core.volume(V1).pause(Date.now() - 5 * MINUTE_MS);
  host.write(V1, Date.now());
  const page = await host.page();
  expect(page.value('volume_mover_volume_lag_seconds', { volume: 'v1' })).toBeGreaterThanOrEqual(300);
  expect(page.value('volume_mover_volume_unconfirmed_bytes', { volume: 'v1' })).toBe(0);
  expect(page.value('volume_mover_volume_synced', { volume: 'v1' })).toBe(0);
  expect(page.value('volume_mover_splitter_volumes', { mode: 'MARKS_ONLY' })).toBe(1);
  expect(page.value('volume_mover_splitter_volumes', { mode: 'SYNCED' })).toBe(0);
});

test('a label from the future makes no lag below nothing', async () => {
  const host = new Host([V1]);
  host.write(V1, Date.now() + MINUTE_MS);
  expect((await host.page()).value('volume_mover_volume_lag_seconds', { volume: 'v1' })).toBe(0);
});

test('a fence is told with its age, its backlog and the end of its lease', async () => {
  const host = new Host([V1, V2]);
  const attempt = { move: moveIdSchema.parse('m1'), n: 1, ticket: 1 };
  const volumes = [{ volume: V1, splitter: SPLITTER, epoch: 1 }];
  host.core.notify({ attempt, volumes, from: GOLD, to: SILVER, resolvers: ['http://a1.test'] });
  const atMs = Date.now() - 2 * MINUTE_MS;
  host.core.fence({ attempt, volumes: [V1], leaseMs: 1_000, holdMs: 0 }, { monotonicMs: 0, wallMs: atMs });
  host.write(V1, Date.now());
  const fenced = await host.page();
  expect(fenced.value('volume_mover_splitter_fences')).toBe(1);
  expect(fenced.value('volume_mover_splitter_lapsed_fences')).toBe(0);
  expect(fenced.value('volume_mover_splitter_fence_age_seconds')).toBeGreaterThanOrEqual(120);
  expect(fenced.value('volume_mover_splitter_backlog_bytes', { group: 'gold' })).toBe(BLOCK.length);
  host.core.tick(2_000);
  expect((await host.page()).value('volume_mover_splitter_lapsed_fences')).toBe(1);
  host.core.learn({ attempt, verdict: 'COMMITTED', volumes, to: SILVER }, Date.now());
  const learned = await host.page();
  expect(learned.value('volume_mover_splitter_fences')).toBe(0);
  expect(learned.value('volume_mover_splitter_fence_age_seconds')).toBe(0);
  expect(learned.value('volume_mover_volume_unconfirmed_bytes', { volume: 'v1', group: 'silver' })).toBe(BLOCK.length);
  expect(learned.values('volume_mover_volume_unconfirmed_bytes', { volume: 'v1', group: 'gold' })).toEqual([]);
});

test('what is sent again is counted for retired volumes, too, so that the count never falls', async () => {
  const host = new Host([V1]);
  host.resentForRetiredBytes = 65_536;
  expect((await host.page()).value('volume_mover_splitter_resent_bytes_total')).toBe(65_536);
});

test('beyond the limit no volume has series of its own, and the sums go on', async () => {
  const names = Array.from({ length: NAMED_SERIES_MAX + 1 }, (_, i) => volumeIdSchema.parse(`v${i}`));
  const host = new Host(names);
  host.write(V1, Date.now() - MINUTE_MS);
  const page = await host.page();
  expect(page.values('volume_mover_volume_lag_seconds')).toEqual([]);
  expect(page.value('volume_mover_splitter_unnamed_volumes')).toBe(NAMED_SERIES_MAX + 1);
  expect(page.value('volume_mover_splitter_volumes', { mode: 'SYNCED' })).toBe(NAMED_SERIES_MAX + 1);
  expect(page.value('volume_mover_splitter_lag_seconds', { group: 'gold' })).toBeGreaterThanOrEqual(60);
  const fewer = await new Host(names.slice(1)).page();
  expect(fewer.values('volume_mover_volume_lag_seconds')).toHaveLength(NAMED_SERIES_MAX);
  expect(fewer.value('volume_mover_splitter_unnamed_volumes')).toBe(0);
});

test('a withheld acknowledgement is counted with how long it was', async () => {
  const host = new Host([V1]);
  const holds = new Holds();
  const held = new HeldAcknowledgements(holds, (ms) => host.metrics.held(ms));
  expect(held.pass(V1)).toBeUndefined();
  holds.raise('r1', [V1], monotonicMs() + MINUTE_MS);
  const waiting = held.pass(V1);
  holds.confirm('r1', monotonicMs());
  held.release();
  await waiting;
  const page = await host.page();
  expect(page.value('volume_mover_splitter_hold_seconds_count')).toBe(1);
  expect(page.value('volume_mover_splitter_hold_seconds_sum')).toBeLessThan(60);
});

test('a guest’s request is counted once it is answered, and not if it fails', async () => {
  const { metrics } = new Host([V1]);
  const { requests } = metrics;
  const beganMs = performance.now();
  await requests.answered('write', beganMs, 512, undefined);
  await requests.answered('read', beganMs, 4_096, Promise.resolve(BLOCK));
  await expect(requests.answered('flush', beganMs, 0, Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
  const page = parseMetrics(await metrics.text());
  const count = (operation: string): number => page.value('volume_mover_guest_request_seconds_count', { operation });
  expect(['write', 'read', 'zeroes', 'flush'].map(count)).toEqual([1, 1, 0, 0]);
  expect(page.value('volume_mover_guest_written_bytes_total')).toBe(512);
  expect(page.value('volume_mover_guest_read_bytes_total')).toBe(4_096);
  expect(page.value('volume_mover_splitter_unusable_volumes')).toBe(1);
});
