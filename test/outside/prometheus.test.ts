// A real Prometheus watches a running estate with the configuration, the alerts and the board that
// the project hands out.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { freePort } from '../../estate/temporal/free-port.js';
import { PATIENCE_MS, until, untilTrue } from '../support/until.js';
import { succeed } from '../support/tools.js';
import { DISK, OutsideEstate, SILVER } from './outside-estate.js';

const MONITORING = fileURLToPath(new URL('../../docs/monitoring/', import.meta.url));
/** Short, so that rates have their two samples soon. */
const SCRAPE_S = 1;
const RATE_S = 15;
/** The RPO of the estate's groups, ms: soon exceeded once the site is cut off. */
const RPO_MS_MAX = 5_000;

const sampleSchema = z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) });
const answerSchema = z.object({ status: z.literal('success'), data: z.object({ result: z.array(sampleSchema) }) });
const targetsSchema = z.object({ data: z.object({ activeTargets: z.array(z.object({ health: z.string() })) }) });
const alertsSchema = z.object({
  data: z.object({
    alerts: z.array(z.object({ labels: z.record(z.string(), z.string()), state: z.enum(['pending', 'firing']) })),
  }),
});
const ruleSchema = z.looseObject({ alert: z.string(), expr: z.string(), for: z.string().optional() });
const rulesSchema = z.looseObject({ groups: z.array(z.looseObject({ rules: z.array(ruleSchema) })) });
const boardSchema = z.looseObject({
  panels: z.array(
    z.looseObject({ title: z.string(), targets: z.array(z.looseObject({ expr: z.string() })).default([]) }),
  ),
});

/**
 * Expressions of the board that have no samples where nothing is wrong: rates of failures, and
 * distributions of what did not happen.
 */
const EMPTY_WITHOUT_FAULTS = /step_failures_total|schedule_|hold_seconds|> 0$/;

let outside: OutsideEstate;
let prometheus: ChildProcess;
let url: string;
let log = '';

beforeAll(async () => {
  outside = await OutsideEstate.start(inject('temporalAddress'), { rpoMsMax: RPO_MS_MAX });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const folder = outside.scratch('prometheus');
  await mkdir(folder);
  await writeConfiguration(folder);
  prometheus = spawn('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  prometheus.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await outside.estate.move({ volume: DISK, to: SILVER });
  await untilTrue('an answer of every process', PATIENCE_MS, async () => (await downTargets()) === 0);
  // Rates need two samples from after the move's end.
  await until('two scrapes of the ended move', PATIENCE_MS, async () => {
    const [counted] = await query(`count_over_time(volume_mover_moves_total{outcome="moved"}[${RATE_S}s])`);
    const [moved] = await query('volume_mover_moves_total{outcome="moved"}');
    return Number(counted?.value[1] ?? 0) >= 3 && Number(moved?.value[1] ?? 0) >= 1 ? true : undefined;
  });
});
afterAll(async () => {
  prometheus.kill();
  await outside.stop();
});

/** The configuration as it is handed out, with this estate's addresses and without its patience. */
async function writeConfiguration(folder: string): Promise<void> {
  const { running } = outside.estate;
  const ids = ['replica-site', 'worker', ...running.estate.appliances.map(({ id }) => id), 'host-1'];
  const urls = await Promise.all(ids.map(async (id) => (await running.process(id).waitReady()).url));
  const configuration: unknown = parse(await readFile(join(MONITORING, 'prometheus.yml'), 'utf8'));
  const read = z
    .looseObject({ global: z.looseObject({}), scrape_configs: z.array(z.looseObject({})).length(1) })
    .parse(configuration);
  await writeFile(
    join(folder, 'prometheus.yml'),
    stringify({
      ...read,
      global: { ...read.global, scrape_interval: `${SCRAPE_S}s`, evaluation_interval: `${SCRAPE_S}s` },
      scrape_configs: read.scrape_configs.map((scrape) => ({
        ...scrape,
        static_configs: [{ targets: urls.map((each) => new URL(each).host) }],
      })),
    }),
  );
  const rules = await readRules();
  const impatient = rules.groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => (rule.for === undefined ? rule : { ...rule, for: `${SCRAPE_S}s` })),
  }));
  await writeFile(join(folder, 'alerts.yml'), stringify({ ...rules, groups: impatient }));
}

async function readRules(): Promise<z.output<typeof rulesSchema>> {
  return rulesSchema.parse(parse(await readFile(join(MONITORING, 'alerts.yml'), 'utf8')));
}

async function downTargets(): Promise<number> {
  const answer = await fetch(`${url}/api/v1/targets`).catch(() => undefined);
  if (answer === undefined) return Number.POSITIVE_INFINITY;
  const { activeTargets } = targetsSchema.parse(await answer.json()).data;
  return activeTargets.length === 0 ? 1 : activeTargets.filter(({ health }) => health !== 'up').length;
}

/** Asks for an instant vector. An expression that Prometheus does not understand fails the test. */
async function query(expression: string): Promise<z.output<typeof sampleSchema>[]> {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  expect(answer.status, `${expression}\n${await answer.clone().text()}`).toBe(200);
  return answerSchema.parse(await answer.json()).data.result;
}

/** Waits until the alerts fire, or until none of them does. */
async function expectAlerts(alerts: readonly string[], wanted: 'firing' | 'over'): Promise<void> {
  await untilTrue(`${alerts.join(', ')} ${wanted}`, PATIENCE_MS, async () => {
    const now = await firing();
    return wanted === 'firing'
      ? alerts.every((alert) => now.includes(alert))
      : !alerts.some((alert) => now.includes(alert));
  });
}

async function firing(): Promise<string[]> {
  const answer = await fetch(`${url}/api/v1/alerts`);
  const { alerts } = alertsSchema.parse(await answer.json()).data;
  return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels['alertname'] ?? '');
}

test('promtool accepts the rules, and they pass their own tests', async () => {
  expect(await succeed('promtool', 'check', 'rules', join(MONITORING, 'alerts.yml'))).toContain('SUCCESS');
  expect(await succeed('promtool', 'check', 'config', join(MONITORING, 'prometheus.yml'))).toContain('SUCCESS');
  expect(await succeed('promtool', 'test', 'rules', join(MONITORING, 'alerts.test.yml'))).toContain('SUCCESS');
});

test('each page of metrics passes the linter of Prometheus', async () => {
  for (const id of ['replica-site', 'appliance-1', 'host-1']) {
    const page = await (await fetch(`${(await outside.estate.process(id).waitReady()).url}/metrics`)).text();
    const path = outside.scratch(`${id}.prom`);
    await writeFile(path, page);
    expect(await succeed('sh', '-c', `promtool check metrics < ${path}`)).toBe('');
  }
});

test('every query of the board is answered, with data unless it asks for faults', async () => {
  const { panels } = boardSchema.parse(JSON.parse(await readFile(join(MONITORING, 'board.json'), 'utf8')));
  const asked = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  expect(asked.length).toBeGreaterThan(40);
  const empty: string[] = [];
  for (const expression of asked) {
    const filled = expression.replaceAll('$__rate_interval', `${RATE_S}s`).replaceAll('$group', '.*');
    expect(filled).not.toContain('$');
    const samples = await query(filled);
    if (samples.length === 0 && !EMPTY_WITHOUT_FAULTS.test(expression)) empty.push(expression);
  }
  expect(empty).toEqual([]);
});

test('every alert is understood, and none fires while nothing is wrong', async () => {
  const rules = (await readRules()).groups.flatMap((group) => group.rules);
  for (const { expr } of rules) expect(await query(expr)).toBeDefined();
  await expect.poll(firing, { timeout: PATIENCE_MS }).toEqual([]);
});

describe('when the replica site is cut off', () => {
  test('alerts fire, and end when it is back', async () => {
    const appliance = outside.estate.appliance('appliance-2');
    await appliance.calls.setLink({ cut: true });
    const alerts = ['VolumeMoverSiteUnreachable', 'VolumeMoverRpoExceeded', 'VolumeMoverNotSynced'];
    await expectAlerts(alerts, 'firing');
    await appliance.calls.setLink({ cut: false });
    await expectAlerts(alerts, 'over');
  });

  test('a process that is gone is told, and so is its return', async () => {
    const site = outside.estate.process('replica-site');
    await site.kill('SIGKILL');
    await expectAlerts(['VolumeMoverProcessDown'], 'firing');
    await site.start();
    await expectAlerts(['VolumeMoverProcessDown'], 'over');
  });
});
