// The page that Prometheus reads: the metrics of all parts of a process, one after another.
import type { MetricsSource } from './metrics.js';

export const METRICS_PATH = '/metrics';
/** Prometheus's text format. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** No two sources may have a family of the same name. */
export async function metricsPage(sources: readonly MetricsSource[]): Promise<string> {
  const parts: string[] = [];
  for (const source of sources) parts.push(await source.text());
  return parts.join('');
}
