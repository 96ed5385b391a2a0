// Reads a page of metrics as a test needs it: each sample by its name and labels.
import { expect } from 'vitest';

export interface MetricsPage {
  /** Each sample as `name{label="value"}`, labels in alphabetical order. */
  readonly samples: ReadonlyMap<string, number>;
  /** Type of each family by name. */
  readonly types: ReadonlyMap<string, string>;
  /** The value of the one sample with this name and, among others, these labels. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
  /** Values of all samples of a name with these labels. */
  values(name: string, labels?: Readonly<Record<string, string>>): number[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

interface Parsed {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** Parses a page. A line that is not of the format fails the test. */
export function parseMetrics(text: string): MetricsPage {
  const parsed: Parsed[] = [];
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, family, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (family !== undefined && type !== undefined) {
      expect(types.has(family), `${family} is there twice`).toBe(false);
      types.set(family, type);
    }
    if (line.startsWith('#')) continue;
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) throw new Error(`not a sample: ${line}`);
    const named = [...labels.matchAll(LABEL)].map(([, label = '', text = '']) => [label, text] as const);
    parsed.push({ name, labels: new Map(named.toSorted(([a], [b]) => (a < b ? -1 : 1))), value: Number(value) });
  }
  const found = (name: string, labels: Readonly<Record<string, string>>): Parsed[] =>
    parsed.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value),
    );
  return {
    types,
    samples: new Map(parsed.map(({ name, labels, value }) => [keyOf(name, labels), value])),
    value: (name, labels = {}) => {
      const samples = found(name, labels);
      expect(samples.length, `samples of ${name} ${JSON.stringify(labels)}`).toBe(1);
      return samples[0]?.value ?? Number.NaN;
    },
    values: (name, labels = {}) => found(name, labels).map(({ value }) => value),
  };
}

function keyOf(name: string, labels: ReadonlyMap<string, string>): string {
  if (labels.size === 0) return name;
  return `${name}{${[...labels].map(([label, value]) => `${label}="${value}"`).join(',')}}`;
}

/** Reads the page of a process. */
export async function metricsOf(url: string, headers: Readonly<Record<string, string>> = {}): Promise<MetricsPage> {
  const answer = await fetch(`${url}/metrics`, { headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parseMetrics(await answer.text());
}
