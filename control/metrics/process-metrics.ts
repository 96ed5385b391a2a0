// What every process tells of itself: which it is, what is degraded, and what it uses.
import type { Health } from '../../contracts/health.js';
import { VERSION } from '../../contracts/version.js';
import type { Families } from './families.js';
import { Metrics, type MetricsSource } from './metrics.js';

export const PROCESS_FAMILIES = {
  volume_mover_info: {
    type: 'gauge',
    help: 'Which process this is; always 1.',
    labels: ['role', 'id', 'version'],
  },
  volume_mover_health_notes: {
    type: 'gauge',
    help: 'Sentences in /healthz about what is degraded; 0 when the process is ok.',
    labels: [],
  },
  process_start_time_seconds: { type: 'gauge', help: 'Start of the process, Unix time.', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time used, user and system.', labels: [] },
  process_resident_memory_bytes: { type: 'gauge', help: 'Memory in use, with code and buffers.', labels: [] },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'Heap in use.', labels: [] },
  nodejs_eventloop_active_seconds_total: {
    type: 'counter',
    help: 'Time in which the event loop was busy. A rate near 1 means that the process is too slow.',
    labels: [],
  },
} as const satisfies Families;

const MICROSECONDS = 1e6;
const MILLISECONDS = 1e3;

export interface ProcessMetricsOptions {
  /** Asked at each scrape. */
  readonly health: () => Pick<Health, 'role' | 'id' | 'startedAtMs' | 'notes'> | Promise<Health>;
}

/** The standard names are those of other processes, so that existing boards fit. */
export function processMetrics({ health }: ProcessMetricsOptions): MetricsSource {
  return new Metrics(PROCESS_FAMILIES, async (metrics) => {
    const { role, id, startedAtMs, notes } = await health();
    metrics.set('volume_mover_info', [[{ role, id, version: VERSION }, 1]]);
    metrics.setOne('volume_mover_health_notes', notes.length);
    metrics.setOne('process_start_time_seconds', startedAtMs / MILLISECONDS);
    const { user, system } = process.cpuUsage();
    metrics.setOne('process_cpu_seconds_total', (user + system) / MICROSECONDS);
    const { rss, heapUsed } = process.memoryUsage();
    metrics.setOne('process_resident_memory_bytes', rss);
    metrics.setOne('nodejs_heap_size_used_bytes', heapUsed);
    const { active } = performance.eventLoopUtilization();
    metrics.setOne('nodejs_eventloop_active_seconds_total', active / MILLISECONDS);
  });
}
