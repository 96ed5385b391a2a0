// docs/monitoring.md against what is registered and what alerts: every metric with its type, unit,
// labels and meaning, every alert with what it means and what to do. With VOLUME_MOVER_REWRITE=1
// the tables are written anew.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { EXIT } from '../../client/cli/exit-code.js';
import { hostPort } from '../../contracts/estate.js';
import { readEstateFile } from '../../control/estate-file.js';
import type { Families, Family } from '../../control/metrics/families.js';
import { PROCESS_FAMILIES } from '../../control/metrics/process-metrics.js';
import { APPLIANCE_FAMILIES } from '../../simulator/appliance/metrics.js';
import { SITE_FAMILIES } from '../../simulator/replica-site/metrics.js';
import { SPLITTER_FAMILIES } from '../../simulator/splitter/metrics.js';
import { WORKER_FAMILIES } from '../../workers/metrics.js';
import { SDK_FAMILIES } from '../../workers/sdk-metrics.js';
import { runCommand } from '../support/cli.js';

const PAGE = new URL('../../docs/monitoring.md', import.meta.url);
const DEFAULT_ESTATE = fileURLToPath(new URL('../../estate/default-estate.json', import.meta.url));
const MONITORING = new URL('../../docs/monitoring/', import.meta.url);
const PARTS: Readonly<Record<string, Families>> = {
  process: PROCESS_FAMILIES,
  splitter: SPLITTER_FAMILIES,
  site: SITE_FAMILIES,
  appliance: APPLIANCE_FAMILIES,
  worker: { ...WORKER_FAMILIES, ...SDK_FAMILIES },
};
const ALL = Object.values(PARTS).flatMap((families) => Object.entries(families));

const alertSchema = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string(), action: z.string() }),
});
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(alertSchema) })).length(1),
});

async function alerts(): Promise<z.output<typeof alertSchema>[]> {
  const text = await readFile(new URL('alerts.yml', MONITORING), 'utf8');
  return rulesSchema.parse(parse(text)).groups.flatMap(({ rules }) => rules);
}

function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 'seconds';
  return /_bytes(_total)?$/.test(name) ? 'bytes' : '';
}

function metricRow([name, { type, labels, help }]: [string, Family]): string[] {
  return [`\`${name}\``, type, unitOf(name), labels.map((label) => `\`${label}\``).join(', '), help];
}

async function tables(): Promise<ReadonlyMap<string, readonly string[][]>> {
  const ofMetrics = Object.entries(PARTS).map(([part, families]): [string, string[][]] => [
    part,
    [['metric', 'type', 'unit', 'labels', 'meaning'], ...Object.entries(families).map(metricRow)],
  ]);
  const ofAlerts = (await alerts()).map(({ alert, for: after = 'at once', labels, annotations }) => [
    `\`${alert}\``,
    labels.severity,
    after,
    annotations.description,
    annotations.action,
  ]);
  return new Map([
    ...ofMetrics,
    ['alerts', [['alert', 'severity', 'after', 'what it means', 'what to do'], ...ofAlerts]],
  ]);
}

function section(part: string): RegExp {
  return new RegExp(`(<!-- ${part}:[^>]*-->\\n)([^]*?)(\\n<!-- end of ${part} -->)`);
}

function written([heads = [], ...rows]: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return ['', line(heads), line(heads.map(() => '---')), ...rows.map(line), ''].join('\n');
}

test('the page has every metric and every alert as they are', async () => {
  let page = await readFile(PAGE, 'utf8');
  const wanted = await tables();
  if (process.env['VOLUME_MOVER_REWRITE'] === '1') {
    for (const [part, rows] of wanted)
      page = page.replace(section(part), (_all, begin: string, _old, end: string) => `${begin}${written(rows)}${end}`);
    await writeFile(PAGE, page);
  }
  for (const [part, rows] of wanted) {
    const [, , table = ''] = section(part).exec(page) ?? [];
    const lines = table.split('\n').filter((line) => line.startsWith('|'));
    const cells = lines.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect([cells[0], ...cells.slice(2)], part).toEqual(rows);
  }
});

describe('names follow what Prometheus advises', () => {
  test.each(ALL)('%s', (name, { type, labels, help, buckets }) => {
    expect(name).toMatch(/^(volume_mover|process|nodejs)(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name).not.toMatch(/_(ms|milliseconds|kib|mib|kilobytes|minutes)(_|$)/);
    expect(help).toMatch(/^[A-Z0-9].*\.$/s);
    expect(labels.filter((label) => ['le', 'instance', 'job'].includes(label))).toEqual([]);
    expect(buckets === undefined).toBe(type !== 'histogram');
    expect(buckets).toEqual(buckets?.toSorted((a, b) => a - b));
  });

  test('no two parts of a process have a metric of one name', () => {
    const names = ALL.map(([name]) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

/** The metrics that an expression names, without the suffixes of a histogram's series. */
function metricsIn(expression: string): string[] {
  const found = expression.match(/\b(volume_mover|process|nodejs)_[a-z_]+/g) ?? [];
  const known = new Set(ALL.map(([name]) => name));
  return found.map((name) => (known.has(name) ? name : name.replace(/_(bucket|count|sum)$/, '')));
}

const targetSchema = z.looseObject({ expr: z.string() });
const panelSchema = z.looseObject({
  title: z.string(),
  type: z.string(),
  targets: z.array(targetSchema).optional(),
});

test('the board and the alerts use only metrics that there are', async () => {
  const known = new Set(ALL.map(([name]) => name));
  const text = await readFile(new URL('board.json', MONITORING), 'utf8');
  const { panels } = z.looseObject({ panels: z.array(panelSchema) }).parse(JSON.parse(text));
  const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(asked.length).toBeGreaterThan(40);
  const used = [...asked, ...(await alerts()).map(({ expr }) => expr)].flatMap(metricsIn);
  expect(used.filter((name) => !known.has(name))).toEqual([]);
});

test('the configuration reads every process of the estate of npm start', async () => {
  const { replicaSite, appliances, splitters, worker } = readEstateFile(DEFAULT_ESTATE);
  const served = [replicaSite, ...appliances, ...splitters].map(({ control }) => control);
  const configuration: unknown = parse(await readFile(new URL('prometheus.yml', MONITORING), 'utf8'));
  const { scrape_configs: scrapes } = z
    .looseObject({
      scrape_configs: z.array(
        z.looseObject({ static_configs: z.array(z.strictObject({ targets: z.array(z.string()) })) }),
      ),
    })
    .parse(configuration);
  const targets = scrapes.flatMap((scrape) => scrape.static_configs.flatMap((each) => each.targets));
  expect(targets.toSorted()).toEqual([...served, worker.health].map(hostPort).toSorted());
});

test('the commands that alerts name exist', async () => {
  const named = (await alerts()).flatMap(({ annotations }) => annotations.action.match(/volume-mover [a-z]+/g) ?? []);
  expect(named.length).toBeGreaterThan(5);
  for (const command of new Set(named)) {
    const [, word = ''] = command.split(' ');
    expect(await runCommand({}, [word, '--help']), command).toMatchObject({ exitCode: EXIT.ok });
  }
});

test('every alert fires in a test of its rule', async () => {
  const text = await readFile(new URL('alerts.test.yml', MONITORING), 'utf8');
  const fired = new Set([...text.matchAll(/alertname="(\w+)"/g)].map(([, name = '']) => name));
  expect([...fired].toSorted()).toEqual((await alerts()).map(({ alert }) => alert).toSorted());
});
