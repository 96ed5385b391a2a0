// Reports and plans as the replica site keeps them: on disk, in several orders, and none of them in
// memory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { batchIdSchema, type BatchItem, batchItemSchema } from '../../contracts/batch.js';
import { moveIdSchema } from '../../contracts/ids.js';
import { reportsApi, type StoredMoveReport, storedMoveReportSchema } from '../../contracts/report.js';
import type { InputOf } from '../../contracts/route.js';
import { openReports, type Reports } from '../../simulator/replica-site/reports/reports.js';
import { memoryTexts } from '../simulation/memory-texts.js';
import { openTextStore, type TextStore } from '../../simulator/store/text-store.js';

let directory = '';
let reports: Reports;
/** Collects all garbage now: what is measured after it is what is held. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'report-store-'));
  reports = openReports({ directory, sync: false });
});
afterEach(async () => {
  await reports.close();
  rmSync(directory, { recursive: true });
});

const BATCH = batchIdSchema.parse('nightly@0');

function reportOf(move: string, fields: Partial<Record<keyof StoredMoveReport, unknown>> = {}): StoredMoveReport {
  return storedMoveReportSchema.parse({
    move,
    outcome: 'moved',
    volumes: ['v1'],
    to: 'g2',
    startedAtMs: 1_000,
    endedAtMs: 2_000,
    ...fields,
  });
}

function page(input: InputOf<typeof reportsApi.reports>): {
  readonly moves: string[];
  readonly next?: string | undefined;
} {
  const { reports: found, ...rest } = reports.moves.page(reportsApi.reports.input.parse(input));
  return { moves: found.map(({ move }) => move), ...rest };
}

function allMoves(input: InputOf<typeof reportsApi.reports>): string[] {
  const moves: string[] = [];
  let cursor: string | undefined;
  do {
    const answer = page({ ...input, cursor });
    moves.push(...answer.moves);
    cursor = answer.next;
  } while (cursor !== undefined);
  return moves;
}

describe('reports of moves', () => {
  test('are there by move after the store is opened again', async () => {
    const report = reportOf('m1@r', { operator: 'ann' });
    reports.moves.put(report);
    await reports.close();
    reports = openReports({ directory, sync: false });
    expect(reports.moves.get(report.move)).toEqual(report);
    expect(() => reports.moves.get(moveIdSchema.parse('m2@r'))).toThrow('no report of move "m2@r"');
  });

  test.each([1, 2, 3, 500])('are listed by end, newest first, each once, in pages of %i', (limit) => {
    for (const [move, endedAtMs] of [
      ['a', 30],
      ['b', 9],
      ['c', 200],
      ['d', 30],
    ] as const)
      reports.moves.put(reportOf(move, { startedAtMs: 0, endedAtMs }));
    expect(allMoves({ limit })).toEqual(['c', 'd', 'a', 'b']);
  });

  test.each([1, 2, 500])('of a batch are listed in its order, tries one after another, in pages of %i', (limit) => {
    const ofBatch = [
      ['t2', 10, 9],
      ['t0', 2, 5],
      ['t1', 10, 7],
      ['x', 0, 8],
    ] as const;
    for (const [move, seq, endedAtMs] of ofBatch) reports.moves.put(reportOf(move, { batch: BATCH, seq, endedAtMs }));
    reports.moves.put(reportOf('other', { batch: 'nightly@00', seq: 1 }));
    reports.moves.put(reportOf('alone'));
    expect(allMoves({ batch: BATCH, limit })).toEqual(['x', 't0', 't1', 't2']);
  });

  test('are listed by outcome', () => {
    reports.moves.put(reportOf('a', { outcome: 'failed', batch: BATCH, seq: 0 }));
    reports.moves.put(reportOf('b', { batch: BATCH, seq: 1 }));
    reports.moves.put(reportOf('c', { outcome: 'cancelled' }));
    expect(allMoves({ outcome: 'failed' })).toEqual(['a']);
    expect(allMoves({ batch: BATCH, outcome: 'moved' })).toEqual(['b']);
    expect(allMoves({ batch: BATCH, outcome: 'cancelled' })).toEqual([]);
  });

  test('stored again take the place of the earlier one everywhere', () => {
    reports.moves.put(reportOf('a', { outcome: 'failed', batch: BATCH, seq: 3 }));
    reports.moves.put(reportOf('a', { outcome: 'failed', batch: BATCH, seq: 3 }));
    expect(allMoves({})).toEqual(['a']);
    reports.moves.put(reportOf('a', { batch: BATCH, seq: 3, endedAtMs: 3_000 }));
    expect(allMoves({ outcome: 'failed' })).toEqual([]);
    expect(allMoves({ batch: BATCH })).toEqual(['a']);
    expect(allMoves({})).toEqual(['a']);
    expect(reports.moves.get(moveIdSchema.parse('a')).endedAtMs).toBe(3_000);
  });

  test('by workflow id are those of its newest move, also when another id begins the same way', () => {
    const run = (digit: string): string => `${digit.repeat(8)}-1111-1111-1111-111111111111`;
    reports.moves.put(reportOf(`wf@${run('2')}`, { startedAtMs: 5 }));
    reports.moves.put(reportOf(`wf@${run('1')}`, { startedAtMs: 7 }));
    reports.moves.put(reportOf(`wf@x@${run('3')}`, { startedAtMs: 9 }));
    expect(reports.moves.get(moveIdSchema.parse('wf')).move).toBe(`wf@${run('1')}`);
    expect(reports.moves.get(moveIdSchema.parse('wf@x')).move).toBe(`wf@x@${run('3')}`);
  });

  test('that are large come in pages of some megabytes', () => {
    const reason = 'x'.repeat(1_000_000);
    for (let i = 0; i < 12; i += 1) reports.moves.put(reportOf(`m${i}`, { reason, endedAtMs: 2_000 + i }));
    const first = page({});
    expect(first.moves.length).toBeGreaterThan(0);
    expect(first.moves.length).toBeLessThan(12);
    expect(allMoves({})).toHaveLength(12);
  });

  test('are not held in memory', () => {
    const detailLength = 64_000;
    const problem = (i: number) => ({
      type: 'urn:x',
      title: 't',
      status: 500,
      detail: `${i} ${'y'.repeat(detailLength)}`,
      code: 'INTERNAL',
      retryable: true,
      action: 'none',
    });
    collectGarbage();
    const beforeBytes = process.memoryUsage().heapUsed;
    const count = 300;
    for (let i = 0; i < count; i += 1) reports.moves.put(reportOf(`m${i}`, { outcome: 'failed', problem: problem(i) }));
    collectGarbage();
    // The texts alone are 19 MB.
    expect(process.memoryUsage().heapUsed - beforeBytes).toBeLessThan((count * detailLength) / 2);
    expect(reports.moves.get(moveIdSchema.parse('m299')).problem?.detail).toContain('299 y');
  });
});

describe('the plan of a batch', () => {
  const item = (seq: number, volume = `v${seq}`): BatchItem =>
    batchItemSchema.parse({ seq, volumes: [volume], from: 'g1', to: 'g2', sizeBytes: 1, appliances: ['a1'] });
  const store = (from: number, items: BatchItem[], draft?: string): void =>
    reports.batches.storePage(reportsApi.storeBatchPlan.input.parse({ batch: BATCH, from, items, draft }));
  const finish = (planned: number, draft?: string): number =>
    reports.batches.finish(
      reportsApi.finishBatchPlan.input.parse({
        batch: BATCH,
        draft,
        planned,
        alreadyThere: 1,
        refused: 0,
        leftOut: [],
        plannedAtMs: 5,
      }),
    ).planned;
  const plan = (from = 0, limit = 200) =>
    reports.batches.page(reportsApi.batchPlan.input.parse({ batch: BATCH, from, limit }));

  test('is read from any move on once it is whole, and not before', () => {
    store(0, [item(0), item(1)]);
    store(2, [item(2)]);
    expect(plan()).toEqual({ items: [], leftOut: [] });
    expect(finish(3)).toBe(3);
    expect(plan(1, 1)).toEqual({ items: [item(1)], planned: 3, alreadyThere: 1, refused: 0, leftOut: [] });
    expect(plan(3).items).toEqual([]);
    expect(plan().items.map(({ seq }) => seq)).toEqual([0, 1, 2]);
  });

  test('stays as it was finished first, whatever a later making of it stores', () => {
    store(0, [item(0)], 'run-1');
    store(0, [item(0, 'w0'), item(1, 'w1')], 'run-2');
    expect(finish(2, 'run-2')).toBe(2);
    store(0, [item(0, 'late')], 'run-2');
    expect(finish(1, 'run-1')).toBe(2);
    expect(plan().items.flatMap(({ volumes }) => volumes)).toEqual(['w0', 'w1']);
  });

  test('is refused when moves are missing or do not follow each other', () => {
    expect(() => store(0, [item(1)])).toThrow('0 is expected');
    store(0, [item(0)]);
    expect(() => finish(2)).toThrow('2 moves are said to be planned, 1 are stored');
  });

  test('of no moves is a plan', () => {
    expect(finish(0)).toBe(0);
    expect(plan()).toMatchObject({ items: [], planned: 0 });
  });
});

describe.each<[string, () => TextStore]>([
  ['on disk', () => openTextStore({ directory: join(directory, 'texts'), tables: ['t'] })],
  ['in memory', memoryTexts],
])('a store of texts %s', (_where, open) => {
  test('reads a range in both directions from behind a key', async () => {
    const store = open();
    store.commit(['a 1', 'a 2', 'a 3', 'a', 'b 1', 'A 9'].map((key) => ({ table: 't', key, text: key })));
    const keys = (range: Parameters<TextStore['range']>[1]): string[] =>
      [...store.range('t', range)].map(([key]) => key);
    expect(keys({ prefix: 'a ' })).toEqual(['a 1', 'a 2', 'a 3']);
    expect(keys({ prefix: 'a ', reverse: true })).toEqual(['a 3', 'a 2', 'a 1']);
    expect(keys({ prefix: 'a ', after: 'a 2' })).toEqual(['a 3']);
    expect(keys({ prefix: 'a ', after: 'a 2', reverse: true })).toEqual(['a 1']);
    expect(keys({ prefix: 'a ', after: 'b', reverse: false })).toEqual([]);
    expect(store.count('t', 'a ')).toBe(3);
    store.commit([{ table: 't', key: 'a 2' }]);
    expect(keys({ prefix: 'a' })).toEqual(['a', 'a 1', 'a 3']);
    await store.close();
  });
});
