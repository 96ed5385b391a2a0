// The audit of a process: what is kept, how long, and that it never stands in the way of a call.
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AUDIT_PAGE_MAX, auditOperation } from '../../contracts/audit.js';
import { createApiClient } from '../../control/client.js';
import { AuditLog, type AuditLogOptions } from '../../simulator/control-server/audit/audit-log.js';
import { accessWith, sampleApi, sampleServer } from './control-fixture.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 28);

let folder: string;
/** The clock of the process, which the tests set. */
const clock = { wallMs: START_MS, monotonicMs: 0, isAgreed: true };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  Object.assign(clock, { wallMs: START_MS, monotonicMs: 0, isAgreed: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(options: Partial<AuditLogOptions> = {}): AuditLog {
  return new AuditLog({
    folder: join(folder, 'audit'),
    process: 'splitter host-1',
    clock: {
      now: () => ({ wallMs: clock.wallMs, monotonicMs: clock.monotonicMs }),
      watch: {
        get isAgreed() {
          return clock.isAgreed;
        },
      },
    },
    ...options,
  });
}

const WORKER = { name: 'worker-1', roles: ['move'] } as const;

function add(log: AuditLog, input: unknown = { volume: 'vm-1' }): void {
  log.add({ caller: WORKER, from: '127.0.0.1', operation: 'fence', input, outcome: 'OK' });
}

const all = { limit: AUDIT_PAGE_MAX };
const seqs = async (log: AuditLog, query = {}): Promise<number[]> =>
  (await log.list({ ...all, ...query })).entries.map(({ seq }) => seq);

test('an entry says who did what about what, from where, and how it ended', async () => {
  const log = open();
  log.add({
    caller: WORKER,
    from: '10.0.0.7',
    operation: 'notify',
    input: {
      attempt: { move: 'move-1', n: 2, ticket: 7 },
      volumes: [
        { volume: 'vm-1', epoch: 3 },
        { volume: 'vm-2', epoch: 1 },
      ],
      from: { group: 'cg-gold', appliance: 'a1', url: 'http://a1' },
      to: { group: 'cg-silver', appliance: 'a2', url: 'http://a2' },
    },
    outcome: 'VOLUME_BUSY',
  });
  expect(await log.list(all)).toEqual({
    process: 'splitter host-1',
    entries: [
      {
        seq: 0,
        atMs: START_MS,
        caller: 'worker-1',
        roles: ['move'],
        from: '10.0.0.7',
        operation: 'notify',
        about: { attempt: 'move-1#2', volumes: ['vm-1', 'vm-2'], from: 'cg-gold', to: 'cg-silver' },
        outcome: 'VOLUME_BUSY',
      },
    ],
  });
});

test('whatever a caller sends makes an entry of bounded size', async () => {
  const log = open();
  for (const input of [undefined, null, 5, 'x', [], { volume: { deep: {} }, reason: 'r'.repeat(9_999) }])
    add(log, input);
  add(log, { volumes: Array.from({ length: 5_000 }, () => 'v'.repeat(5_000)) });
  log.addGathered({
    caller: undefined,
    from: 'somewhere',
    operation: `GET /${'x'.repeat(10_000)}`,
    input: undefined,
    outcome: 'UNAUTHORIZED',
  });
  const { entries } = await log.list(all);
  expect(entries).toHaveLength(8);
  expect(Math.max(...entries.map((entry) => JSON.stringify(entry).length))).toBeLessThan(20_000);
});

test('entries outlive the process, and their numbers go on', async () => {
  add(open());
  const again = open();
  add(again);
  expect(await seqs(again)).toEqual([1, 0]);
  expect(readdirSync(join(folder, 'audit'))).toHaveLength(1);
});

test('a line that a death cut short costs that entry alone', async () => {
  const first = open();
  add(first);
  const [name = ''] = readdirSync(join(folder, 'audit'));
  appendFileSync(join(folder, 'audit', name), '{"seq":1,"atMs"');
  const again = open();
  add(again);
  expect(await seqs(again)).toEqual([1, 0]);
});

test('a listing goes by pages, newest first, from a time on', async () => {
  const log = open();
  for (let i = 0; i < 5; i += 1) {
    clock.wallMs = START_MS + i * 1_000;
    add(log);
  }
  const first = await log.list({ limit: 2 });
  expect([first.entries.map(({ seq }) => seq), first.next]).toEqual([[4, 3], 3]);
  expect(await seqs(log, { before: 3 })).toEqual([2, 1, 0]);
  expect(await seqs(log, { sinceMs: START_MS + 3_000 })).toEqual([4, 3]);
});

test('the oldest entries go when there are too many bytes, never the newest', async () => {
  const log = open({ limits: { bytesMax: 1_000_000, ageMsMax: DAY_MS } });
  const reason = 'r'.repeat(200);
  for (let i = 0; i < 6_000; i += 1) add(log, { volume: `vm-${i}`, reason });
  const kept = readdirSync(join(folder, 'audit')).map((name) => readFileSync(join(folder, 'audit', name)).length);
  const bytes = kept.reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeGreaterThan(700_000);
  expect(bytes).toBeLessThan(1_000_000 + 256 * 1024 + 1_000);
  const newest = await seqs(log);
  expect(newest[0]).toBe(5_999);
  const oldest = await log.list({ limit: 1, before: 1_000 });
  expect(oldest.entries).toEqual([]);
});

test('entries go by age, which a wall clock that jumps does not make', async () => {
  const limits = { bytesMax: 1_000_000, ageMsMax: 16 * DAY_MS };
  const log = open({ limits });
  add(log);
  // Somebody sets the clock a year ahead: not believed.
  Object.assign(clock, { wallMs: START_MS + 365 * DAY_MS, monotonicMs: 1_000, isAgreed: false });
  add(log);
  expect(await seqs(log)).toEqual([1, 0]);
  // Eighteen days pass, and both clocks say so.
  Object.assign(clock, { wallMs: START_MS + 18 * DAY_MS, monotonicMs: 18 * DAY_MS, isAgreed: true });
  add(log);
  Object.assign(clock, { wallMs: START_MS + 36 * DAY_MS, monotonicMs: 36 * DAY_MS });
  add(log);
  expect(await seqs(log)).toEqual([3, 2]);
  add(open({ limits }));
  expect(await seqs(open({ limits }))).toEqual([4, 3, 2]);
});

test('a file that is missing when its time is over stops no later entry', async () => {
  const log = open({ limits: { bytesMax: 1_000_000, ageMsMax: 16 * DAY_MS } });
  add(log);
  const [first = ''] = readdirSync(join(folder, 'audit'));
  rmSync(join(folder, 'audit', first));
  Object.assign(clock, { wallMs: START_MS + 18 * DAY_MS, monotonicMs: 18 * DAY_MS });
  add(log);
  Object.assign(clock, { wallMs: START_MS + 36 * DAY_MS, monotonicMs: 36 * DAY_MS });
  add(log);
  expect(log.note).toBeUndefined();
  expect(await seqs(log)).toEqual([2, 1]);
});

test('repeated refusals of one caller make one entry and a count', async () => {
  const log = open();
  const refusal = { caller: undefined, from: '10.0.0.9', operation: 'fence', input: undefined } as const;
  for (let i = 0; i < 10_000; i += 1) log.addGathered({ ...refusal, operation: `GET /${i}`, outcome: 'UNAUTHORIZED' });
  log.addGathered({ ...refusal, caller: WORKER, outcome: 'FORBIDDEN' });
  log.addGathered({ ...refusal, caller: WORKER, operation: 'resync', outcome: 'FORBIDDEN' });
  log.flush();
  const { entries } = await log.list(all);
  expect(entries.map(({ caller, operation, outcome, times }) => [caller, operation, outcome, times])).toEqual([
    ['-', 'GET /0', 'UNAUTHORIZED', 9_999],
    ['worker-1', 'resync', 'FORBIDDEN', undefined],
    ['worker-1', 'fence', 'FORBIDDEN', undefined],
    ['-', 'GET /0', 'UNAUTHORIZED', undefined],
  ]);
});

test('callers beyond those that are gathered apart are told as a number, under nobody’s name', async () => {
  const log = open();
  for (let n = 0; n < 1_003; n += 1)
    log.addGathered({ caller: undefined, from: `10.0.0.${n}`, operation: 'fence', input: {}, outcome: 'UNAUTHORIZED' });
  for (let n = 0; n < 2; n += 1)
    log.addGathered({ caller: undefined, from: 'x', operation: 'fence', input: {}, outcome: 'FORBIDDEN' });
  log.flush();
  const { entries } = await log.list({ limit: 2 });
  expect(entries).toMatchObject([
    { from: '-', caller: '-', operation: '-', outcome: 'FORBIDDEN', times: 1 },
    { from: '-', caller: '-', operation: '-', outcome: 'UNAUTHORIZED', times: 2 },
  ]);
});

test('a folder that cannot be written is told in words, stops no call, and heals by itself', async () => {
  writeFileSync(join(folder, 'audit'), 'a file is in its place');
  const log = open();
  add(log);
  expect(log.note).toMatch(/^The audit cannot be written in .* Calls that are missing in it: 1;/);
  rmSync(join(folder, 'audit'));
  add(log);
  expect(log.note).toBeUndefined();
  expect(await seqs(log)).toEqual([0]);
});

test('a server tells of changes, of refused callers, and not of looks', async () => {
  const api = { ...sampleApi, audit: auditOperation };
  const server = sampleServer({ access: accessWith({ token: 'secret' }), audit: open() });
  const { url } = await server.start();
  const known = createApiClient(api, { baseUrl: url, credentials: { token: 'secret' } });
  const stranger = createApiClient(api, { baseUrl: url });
  await known.list({});
  await known.change({ name: 'a' });
  await expect(known.change({ name: 'a', size: 0.5 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(stranger.list({})).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  await server.stop();
  const { entries } = await open().list(all);
  expect(
    entries.map(({ caller, from, operation, about, outcome }) => [caller, from, operation, about, outcome]),
  ).toEqual([
    ['-', '127.0.0.1', 'list', {}, 'UNAUTHORIZED'],
    ['token', '127.0.0.1', 'change', { name: 'a' }, 'INVALID_REQUEST'],
    ['token', '127.0.0.1', 'change', { name: 'a' }, 'OK'],
  ]);
});
