// The routes by which a container platform, monitoring and people ask how a worker is.
import { type Health, healthOperation, PROBES, readinessOf } from '../contracts/health.js';
import type { MetricsSource } from '../control/metrics/metrics.js';
import { METRICS_CONTENT_TYPE, METRICS_PATH, metricsPage } from '../control/metrics/metrics-page.js';
import { jsonAnswer, type Route } from './health-server.js';

const READY = 200;
const UNREADY = 503;

interface Probed {
  /** Why no work is taken now, in sentences without names; empty when work is taken. */
  readonly unready: () => Promise<readonly string[]>;
  readonly health: () => Promise<Health>;
}

/**
 * Makes the routes. /livez answers 200 for as long as the process runs, since no restart brings
 * Temporal back; /readyz and /healthz answer 503 while the worker takes no work.
 */
export function probesOf(probed: Probed): Route[] {
  return [
    { path: PROBES.live.path, answer: async () => jsonAnswer(READY, { status: 'alive' }) },
    {
      path: PROBES.ready.path,
      answer: async () => {
        const reasons = await probed.unready();
        return jsonAnswer(statusFor(reasons), readinessOf(reasons));
      },
    },
    {
      path: healthOperation.path,
      answer: async () => {
        const [reasons, health] = await Promise.all([probed.unready(), probed.health()]);
        return jsonAnswer(statusFor(reasons), health);
      },
    },
  ];
}

/** Makes the route that Prometheus reads. Its page names no volume, since it asks for no token. */
export function metricsRoute(sources: readonly MetricsSource[]): Route {
  return {
    path: METRICS_PATH,
    answer: async () => ({ status: 200, type: METRICS_CONTENT_TYPE, body: await metricsPage(sources) }),
  };
}

function statusFor(reasons: readonly string[]): number {
  return reasons.length === 0 ? READY : UNREADY;
}
