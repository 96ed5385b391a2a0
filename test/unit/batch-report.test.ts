// The forms of a batch's report, and what they are made of.
import { expect, test } from 'vitest';
import { batchMoveOf, type BatchMoveReport } from '../../client/batches/batch-moves.js';
import { batchReportFormat, type ReportFormatName } from '../../client/batches/report/formats.js';
import { BatchTally } from '../../client/batches/tally.js';
import type { Batch } from '../../client/batches/batch-client.js';
import { batchLeftOutSchema, batchItemSchema } from '../../contracts/batch.js';
import { ERRORS, MoverError, toProblem } from '../../contracts/errors.js';
import { type StoredMoveReport, storedMoveReportSchema } from '../../contracts/report.js';
import { BATCH_ID, BEGAN_MS, failedMove, madeBatch, madeMove } from '../support/batch-report.js';

const ITEM = batchItemSchema.parse({
  seq: 4,
  volumes: ['vm-4-disk-0'],
  from: 'cg-gold',
  to: 'cg-silver',
  sizeBytes: 8,
  appliances: ['appliance-1'],
});

function stored(outcome: StoredMoveReport['outcome'], error?: MoverError): StoredMoveReport {
  return storedMoveReportSchema.parse({
    move: 'weekend/4@00000000-0000-4000-8000-000000000000',
    outcome,
    volumes: ['vm-4-disk-0'],
    from: 'cg-gold',
    to: 'cg-silver',
    startedAtMs: BEGAN_MS,
    endedAtMs: BEGAN_MS + 5,
    batch: BATCH_ID,
    seq: 4,
    ...(error === undefined ? {} : { problem: toProblem(error) }),
  });
}

function written(name: ReportFormatName, batch: Batch, moves: readonly BatchMoveReport[]): string {
  const format = batchReportFormat(name, batch, { nowMs: batch.endedAtMs ?? 0, withMark: false });
  return [format.begin(), ...moves.map((move) => format.move(move)), format.end()].join('');
}

test('the last try says how a move ended; without any it has not moved', () => {
  const full = stored('failed', new MoverError('GROUP_FULL', 'No room.'));
  expect(batchMoveOf(ITEM, [])).toMatchObject({ seq: 4, outcome: 'not-moved', tries: 0 });
  expect(batchMoveOf(ITEM, [full, stored('moved')])).toMatchObject({
    outcome: 'moved',
    tries: 2,
    startedAtMs: BEGAN_MS,
  });
  expect(batchMoveOf(ITEM, [full])).toMatchObject({
    outcome: 'failed',
    problem: { code: 'GROUP_FULL', message: 'No room.', action: ERRORS.GROUP_FULL.action },
  });
  const ended = stored('terminated', new MoverError('ATTEMPT_ABORTED', 'The workflow was terminated.'));
  expect(batchMoveOf(ITEM, [ended])).toMatchObject({ outcome: 'failed', problem: { code: 'ATTEMPT_ABORTED' } });
});

test('a move that was there when its turn came, or came too late for its window, is no failure', () => {
  const reasons = [{ code: 'ALREADY_THERE', subject: 'to', message: 'there' }] as const;
  const there = stored('failed', new MoverError('MOVE_REFUSED', 'The move cannot be made.', { reasons }));
  expect(batchMoveOf(ITEM, [there])).toMatchObject({ outcome: 'already-there' });
  const late = stored('failed', new MoverError('WINDOW_CLOSED', 'The window ended.'));
  expect(batchMoveOf(ITEM, [late])).toMatchObject({ outcome: 'window-closed', problem: { code: 'WINDOW_CLOSED' } });
});

test('durations are by nearest rank, of those that moved alone', () => {
  const tally = new BatchTally();
  for (let i = 1; i <= 100; i += 1)
    tally.add(madeMove(i, { startedAtMs: BEGAN_MS, endedAtMs: BEGAN_MS + i, to: i % 2 === 0 ? 'cg-even' : 'cg-odd' }));
  tally.add(failedMove(101, 'no', { startedAtMs: BEGAN_MS, endedAtMs: BEGAN_MS + 9_999 }));
  expect(tally.durations()).toEqual({ medianMs: 50, p95Ms: 95, longestMs: 100 });
  expect(tally.longest.map(({ tookMs }) => tookMs)).toEqual([100, 99, 98, 97, 96]);
  const groups = tally.groups();
  expect(groups.map(({ to }) => to)).toEqual(['cg-even', 'cg-odd', 'cg-silver']);
  expect(groups[0]).toMatchObject({
    counts: { moved: 50, failed: 0 },
    volumesMoved: 50,
    bytesMoved: 50 * 1024 ** 3,
    span: { fromMs: BEGAN_MS, toMs: BEGAN_MS + 100 },
    durations: { medianMs: 50, p95Ms: 96, longestMs: 100 },
  });
  expect(groups[2]).toMatchObject({ counts: { failed: 1 }, volumesMoved: 0 });
  expect(groups[2]?.durations).toBeUndefined();
});

const LEFT_OUT = batchLeftOutSchema.parse({
  volumes: ['vm-9-disk-0'],
  from: 'cg-gold',
  to: 'cg-silver',
  sizeBytes: 64 * 1024 ** 2,
  code: 'GROUP_FULL',
  message: 'It is full.',
});

test('a line of the CSV says who asked and why, and of what was left out where it is, and what to do', () => {
  const batch = madeBatch({ operator: 'ann', reason: 'tiers', leftOut: [LEFT_OUT] });
  const lines = written('csv', batch, [madeMove(0)]).split('\r\n');
  expect(lines[1]).toMatch(/,ann,tiers$/);
  expect(lines[2]).toBe(
    `,left-out,vm-9-disk-0,cg-gold,cg-silver,67108864,,,,,,GROUP_FULL,It is full.,"${ERRORS.GROUP_FULL.action}",ann,tiers`,
  );
  const cells = lines.slice(0, 3).map((line) => line.replaceAll(/"[^"]*"/g, '').split(',').length);
  expect(new Set(cells).size).toBe(1);
});

test('a byte order mark stands once, in front of the CSV', () => {
  const format = batchReportFormat('csv', madeBatch(), { nowMs: 0, withMark: true });
  expect([format.begin(), format.move(madeMove(0)), format.end()].join('').lastIndexOf('\uFEFF')).toBe(0);
});

test('the table has each move, then groups, failures with what to do, and what was left out', () => {
  const [left] = madeMove(9).volumes;
  const batch = madeBatch({
    counts: { ...(madeBatch().report?.counts ?? never()), refused: 3, alreadyThere: 7 },
    leftOut: [{ ...LEFT_OUT, volumes: left === undefined ? [] : [left] }],
  });
  const text = written('table', batch, [madeMove(0), failedMove(1, 'No room \u001B[2J there.')]);
  expect(text).toMatch(/^0 +moved +2026-11-23T22:00:00.000Z +2.0 s +cg-gold +cg-silver +vm-0-disk-0$/m);
  expect(text).toMatch(/^1 +failed \(2\) /m);
  expect(text).toMatch(/^cg-gold +cg-silver +1 +1 +0 +1 GiB /m);
  expect(text).toContain('vm-1-disk-0 → cg-silver: No room \\u{1b}[2J there. (GROUP_FULL), 2 tries');
  expect(text).toContain('what to do: Move a volume out of it.');
  expect(text).toContain('a move took 2.0 s (median)');
  expect(text).toContain('Already there: 7');
  expect(text).toMatch(
    /Left out:\n {2}vm-9-disk-0, 64 MiB in cg-gold: It is full. \(GROUP_FULL\)\n {4}what to do: .+\n {2}… and 2 more/,
  );
});

test('the JSON is one object with every move, also of a batch without any', () => {
  const none: unknown = JSON.parse(written('json', madeBatch(), []));
  expect(none).toMatchObject({ batchId: BATCH_ID, moves: [], groups: [], longest: [] });
  const two: unknown = JSON.parse(written('json', madeBatch(), [madeMove(0), failedMove(1, 'no')]));
  expect(two).toMatchObject({
    report: { outcome: 'complete' },
    moves: [
      { seq: 0, outcome: 'moved' },
      { seq: 1, problem: { code: 'GROUP_FULL' } },
    ],
    durations: { medianMs: 2_000 },
    groups: [{ from: 'cg-gold', counts: { moved: 1, failed: 1 } }],
  });
});

test('the CSV has a title line and a line for each move, with times as ISO 8601', () => {
  const lines = written('csv', madeBatch(), [madeMove(0, { volumes: ['a', 'b'] }), failedMove(1, '=cmd, "x"')]).split(
    '\r\n',
  );
  expect(lines[0]).toMatch(
    /^seq,outcome,volumes,from,to,size_bytes,tries,started_at,ended_at,duration_ms,move,code,message,what_to_do,operator,reason$/,
  );
  expect(lines[1]).toMatch(
    /^0,moved,a b,cg-gold,cg-silver,1073741824,1,2026-11-23T22:00:00.000Z,2026-11-23T22:00:02.000Z,2000,/,
  );
  expect(lines[2]).toMatch(/,GROUP_FULL,"'=cmd, ""x""",Move a volume out of it\.,,$/);
  expect(lines).toHaveLength(4);
});

test('a page of a large batch shows a thousand moves, sums up all, and says how to get each', () => {
  const moves = Array.from({ length: 20_000 }, (_, i) => madeMove(i, { to: i % 2 === 0 ? 'cg-a' : 'cg-b' }));
  const page = written('html', madeBatch(), moves);
  expect(page.length).toBeLessThan(1_000_000);
  expect(page).toContain('The first 1,000; 19,000 further rows not shown.');
  expect(page).toContain(`volume-mover batch report ${BATCH_ID} --format csv`);
  expect(page).toMatch(
    /<td data-title="From">cg-gold<\/td><td data-title="To">cg-a<\/td><td class="number" data-title="Moved">10,000<\/td>/,
  );
});

test('a page allows no script, and no style but its own', () => {
  const page = written('html', madeBatch(), [madeMove(0)]);
  expect(page).toMatch(/content="default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='"/);
  expect(page).not.toMatch(/<script|style="|https?:/);
});

function never(): never {
  throw new Error('a made batch has its counts');
}
