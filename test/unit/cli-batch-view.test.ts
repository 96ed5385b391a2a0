// A batch on a terminal: the picture that is drawn again in place, lines for logs, and what its end
// is as an exit code.
import { expect, test } from 'vitest';
import { exitCodeOfBatch } from '../../client/cli/batch-exit.js';
import { batchLine, batchLines, batchPicture } from '../../client/cli/batch-view.js';
import { EXIT } from '../../client/cli/exit-code.js';
import { LivePicture } from '../../client/cli/live-picture.js';
import { type BatchProgress, batchProgressSchema, type BatchReport } from '../../contracts/batch.js';
import { MoverError } from '../../contracts/errors.js';
import { BATCH_ID, BEGAN_MS, madeBatch } from '../support/batch-report.js';

const COUNTS = {
  planned: 40,
  waiting: 20,
  running: 8,
  moved: 11,
  failed: 1,
  cancelled: 0,
  alreadyThere: 3,
  skipped: 0,
  refused: 0,
};

function progress(changed: Partial<BatchProgress> = {}): BatchProgress {
  return {
    ...batchProgressSchema.parse({
      batch: BATCH_ID,
      stage: 'running',
      counts: COUNTS,
      concurrency: { all: 8, perTargetGroup: 2 },
      startedAtMs: BEGAN_MS,
      perMinute: 9.5,
      expectedEndMs: BEGAN_MS + 300_000,
      longest: [{ volumes: ['vm-1-disk-0'], to: 'cg-silver', sinceMs: BEGAN_MS + 1_000 }],
      failures: [
        { seq: 3, volumes: ['vm-3-disk-0'], to: 'cg-silver', tries: 2, code: 'GROUP_FULL', message: 'No room.' },
      ],
      lastRequest: 'pause by ann: lunch',
    }),
    ...changed,
  };
}

test('the picture has counts, rate, expected end, the longest move, failures and the last request', () => {
  const lines = batchPicture(progress(), BEGAN_MS + 61_000);
  expect(lines[0]).toBe(`Batch ${BATCH_ID}: running`);
  expect(lines[1]).toMatch(/█{10}░{22} 12 of 40 \(30 %\)$/);
  expect(lines[2]).toContain(
    '9.5 moves a minute, done at about 2026-11-23T22:05:00.000Z (in 3 min 59 s), running for 1 min 1 s',
  );
  expect(lines[3]).toContain('11 moved, 1 failed, 8 running, 20 waiting, 3 already there');
  expect(lines).toContainEqual('  limits   8 at once, 2 into a group');
  expect(lines).toContainEqual('  longest  vm-1-disk-0 → cg-silver, for 1 min 0 s');
  expect(lines).toContainEqual('  failed   vm-3-disk-0 → cg-silver: No room. (GROUP_FULL), 2 tries');
  expect(lines).toContainEqual('  request  pause by ann: lunch');
});

test('a picture says when its window opens, how long it is open, or that it is closed', () => {
  const window = { opensAtMs: BEGAN_MS, closesAtMs: BEGAN_MS + 60_000 };
  const said = (nowMs: number): string =>
    batchPicture(progress({ window }), nowMs).find((line) => line.includes('window')) ?? '';
  expect(said(BEGAN_MS - 5_000)).toContain('opens 2026-11-23T22:00:00.000Z (in 5.0 s)');
  expect(said(BEGAN_MS)).toContain('open until 2026-11-23T22:01:00.000Z (for 1 min 0 s)');
  expect(said(BEGAN_MS + 60_000)).toContain('closed since');
});

test.each([
  ['waiting-for-approval', 'volume-mover batch approve weekend --reason <why>'],
  ['paused', 'volume-mover batch resume weekend --reason <why>'],
] as const)('a batch that is %s says so wherever it is shown, and what to type', (stage, command) => {
  const { expectedEndMs: _unknown, ...waiting } = progress({ stage });
  const batch = { ...madeBatch(), state: 'running' as const, progress: waiting };
  const { report: _none, ...running } = batch;
  for (const lines of [batchPicture(waiting, BEGAN_MS), batchLines(running, BEGAN_MS), [batchLine(waiting)]]) {
    expect(lines.join('\n')).toContain(command);
    expect(lines[0]?.replaceAll('-', ' ')).toContain(stage.replaceAll('-', ' '));
    expect(lines.join('\n')).not.toContain('done at');
  }
});

test('nothing that somebody wrote moves the cursor', () => {
  const lines = batchPicture(progress({ lastRequest: 'pause by \u001B[2J: \n\r' }), BEGAN_MS);
  expect(lines.join('')).not.toMatch(/\p{Cc}/u);
});

test('a line for logs has the stage, what ended, the rate and the expected end', () => {
  expect(batchLine(progress())).toBe(
    'running: 12 of 40 ended, 11 moved, 1 failed, 8 running, 20 waiting, 3 already there; 9.5 a minute, done at about 2026-11-23T22:05:00.000Z',
  );
});

test('a picture takes the place of the one before, and no line of it wraps', () => {
  let written = '';
  const picture = new LivePicture({ columns: 10, write: (text) => (written += text) });
  picture.draw(['one', 'a very long line']);
  expect(written).toBe('one\na ve…line\n');
  written = '';
  picture.draw(['two']);
  expect(written).toBe('\u001B[2A\u001B[0Jtwo\n');
  written = '';
  picture.clear();
  expect(written).toBe('\u001B[1A\u001B[0J');
  written = '';
  picture.clear();
  expect(written).toBe('');
});

test('a picture has no more lines than its terminal, and says how many it leaves out', () => {
  let written = '';
  const picture = new LivePicture({ columns: 20, rows: 4, write: (text) => (written += text) });
  picture.draw(['one', 'two', 'three', 'four', 'five']);
  expect(written).toBe('one\ntwo\n… and 3 more\n');
  written = '';
  picture.clear();
  expect(written).toBe('\u001B[3A\u001B[0J');
});

const clean = { ...COUNTS, waiting: 0, running: 0, failed: 0 };
test.each<[BatchReport['outcome'], Partial<BatchReport['counts']>, number]>([
  ['complete', {}, EXIT.ok],
  ['all-there', {}, EXIT.ok],
  ['nothing-selected', {}, EXIT.notFound],
  ['complete', { failed: 1 }, EXIT.failed],
  ['complete', { refused: 1 }, EXIT.failed],
  ['dry-run', {}, EXIT.ok],
  ['dry-run', { refused: 1 }, EXIT.refused],
  ['incomplete', {}, EXIT.failed],
  ['stopped', { failed: 1 }, EXIT.failed],
  ['skipped-late', {}, EXIT.failed],
])('a batch that ended as %s with %j has exit code %i', (outcome, counts, code) => {
  expect(exitCodeOfBatch({ ...madeBatch({ outcome, counts: { ...clean, ...counts } }), state: outcome })).toBe(code);
});

test('a batch that could not be planned has the exit code of its reason, a terminated one fails, one that runs is ok', () => {
  const error = new MoverError('GROUP_NOT_FOUND', 'There is none.');
  const batch = madeBatch();
  expect(exitCodeOfBatch({ ...batch, state: 'failed', error })).toBe(EXIT.notFound);
  expect(exitCodeOfBatch({ ...batch, state: 'running' })).toBe(EXIT.ok);
  expect(exitCodeOfBatch({ ...batch, state: 'terminated' })).toBe(EXIT.failed);
});

test('the end of a batch is told with its report', () => {
  const lines = batchLines(madeBatch({ operator: 'ann', reason: 'tiers' }), BEGAN_MS);
  expect(lines).toContainEqual('  Every move of the batch has ended: 2 of 3 moved, 1 failed.');
  expect(lines).toContainEqual('  asked for by ann');
  expect(lines[1]).toContain('(after 1 h 0 min)');
});
