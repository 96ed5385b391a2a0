// The metrics of a part of a process, and their text for Prometheus. Some are counted as things
// happen; others are read from the part's state when somebody asks.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { Distribution } from './distribution.js';
import type { Families, Family, LabelsOf, NameOf, Sample } from './families.js';

/** Something with metrics, as text in Prometheus's format 0.0.4. */
export interface MetricsSource {
  readonly text: () => Promise<string>;
}

/** A distribution and the labels of its series. */
interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
  readonly distribution: Distribution;
}

export class Metrics<F extends Families> implements MetricsSource {
  readonly #families: F;
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #distributions = new Map<string, Labelled[]>();
  readonly #read: (metrics: Metrics<F>) => void | Promise<void>;
  /** Samples that were read and are not taken over yet: each family is, when it is written. */
  readonly #due = new Map<string, () => void>();
  #writing: Promise<string> | undefined;

  /** @param read sets what is read from the part's state; called at each scrape */
  constructor(families: F, read: (metrics: Metrics<F>) => void | Promise<void> = () => undefined) {
    this.#families = families;
    this.#read = read;
    for (const [name, family] of Object.entries(families)) this.#register(name, family);
  }

  #register(name: string, { type, help, labels, buckets = [] }: Family): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    switch (type) {
      case 'gauge':
        this.#gauges.set(name, new Gauge(options));
        return;
      case 'counter':
        this.#counters.set(name, new Counter(options));
        return;
      case 'histogram':
        this.#histograms.set(name, new Histogram({ ...options, buckets: [...buckets] }));
        return;
    }
  }

  /**
   * Replaces all samples of a family. A counter's values must only grow while the process lives.
   */
  set<Name extends NameOf<F, 'gauge' | 'counter'>>(name: Name, samples: Iterable<Sample<F, Name>>): void {
    this.#due.set(name, () => this.#replace(name, samples));
  }

  #replace<Name extends NameOf<F, 'gauge' | 'counter'>>(name: Name, samples: Iterable<Sample<F, Name>>): void {
    const gauge = this.#gauges.get(name);
    const counter = this.#counters.get(name);
    gauge?.reset();
    counter?.reset();
    // Without labels there is one sample, which a reset makes 0 instead of taking it away.
    if (this.#families[name]?.labels.length === 0) {
      gauge?.remove();
      counter?.remove();
    }
    for (const [labels, value] of samples) {
      gauge?.set(labels, value);
      counter?.inc(labels, value);
    }
  }

  /** Sets the only sample of a family without labels. */
  setOne(name: NameOf<F, 'gauge' | 'counter'>, value: number): void {
    this.#gauges.get(name)?.set(value);
    const counter = this.#counters.get(name);
    counter?.reset();
    counter?.inc(value);
  }

  /** Counts. By 0 it makes a series, so that its first event is seen as a growth. */
  count<Name extends NameOf<F, 'counter'>>(name: Name, labels: LabelsOf<F, Name>, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  observe<Name extends NameOf<F, 'histogram'>>(name: Name, labels: LabelsOf<F, Name>, value: number): void {
    this.#histograms.get(name)?.observe(labels, value);
  }

  /** A series of a histogram that is counted where a guest waits. Ask for it once, and keep it. */
  distribution<Name extends NameOf<F, 'histogram'>>(name: Name, labels: LabelsOf<F, Name>): Distribution {
    const distribution = new Distribution(this.#families[name]?.buckets ?? []);
    const known = this.#distributions.get(name);
    if (known === undefined) this.#distributions.set(name, [{ labels, distribution }]);
    else known.push({ labels, distribution });
    return distribution;
  }

  /** Those who ask at the same time get the same text. */
  async text(): Promise<string> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Writes family by family: with thousands of series others get their turns in between. */
  async #write(): Promise<string> {
    await this.#read(this);
    const parts: string[] = [];
    for (const [name, family] of Object.entries(this.#families)) {
      this.#due.get(name)?.();
      const distributions = this.#distributions.get(name);
      parts.push(
        distributions === undefined
          ? await this.#registry.getSingleMetricAsString(name)
          : await textOf(name, family, distributions),
      );
      await nextTurn();
    }
    this.#due.clear();
    return parts.map((part) => `${part}\n`).join('');
  }
}

/**
 * The text of distributions. The library takes finished counts only where it adds up those of other
 * processes.
 */
async function textOf(name: string, { help }: Family, series: readonly Labelled[]): Promise<string> {
  const values = series.flatMap(({ labels, distribution }) => [
    ...distribution.cumulative.map(([le, value]) => ({
      labels: { le: le === Number.POSITIVE_INFINITY ? '+Inf' : le, ...labels },
      value,
      metricName: `${name}_bucket`,
    })),
    { labels, value: distribution.sum, metricName: `${name}_sum` },
    { labels, value: distribution.count, metricName: `${name}_count` },
  ]);
  const family = { name, help, type: 'histogram', values, aggregator: 'first' };
  return AggregatorRegistry.aggregate([[family]]).getSingleMetricAsString(name);
}
