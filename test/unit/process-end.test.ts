// Why a process ended, by its own words, and what the user reads of it.
import { expect, test } from 'vitest';
import { deathText } from '../../estate/death-text.js';
import { processEnd, unstarted } from '../../estate/process-end.js';

const PROCESS = {
  name: 'The replica site',
  meaning: 'Guests write on.',
  dataFolder: '/data/replica-site',
  logFile: '/data/logs/replica-site.log',
};
const FIRST = { deaths: 1, pauseMs: 0, detail: 'full' } as const;
const READY = '{"level":30,"msg":"ready"}';

function fatal(message: string, code = 'INTERNAL'): string {
  return JSON.stringify({ level: 60, err: { message, code }, msg: 'failed' });
}

test('the reason is that of the last fatal line; a code of the configuration makes it a refusal', () => {
  const lines = [READY, fatal('first'), fatal('No volume fits', 'INVALID_REQUEST'), 'not JSON', 'null'];
  expect(processEnd('ended with exit code 1', lines)).toMatchObject({ reason: 'No volume fits', isRefusal: true });
  expect(processEnd('ended with exit code 1', [fatal('ENOSPC')])).toMatchObject({ isRefusal: false });
  expect(processEnd('ended with SIGKILL', [READY])).toMatchObject({ reason: undefined, isRefusal: false });
});

test('the text says what, when, why, what it means, what to do, and where the log is', () => {
  const end = processEnd('ended with exit code 1', [READY, fatal('ENOSPC: no space left on device, write')]);
  expect(deathText(PROCESS, end, { deaths: 3, pauseMs: 2_000, detail: 'full' }).split('\n')).toEqual([
    'The replica site ended with exit code 1, 3 times in a row now. It is started again in 2 s; nothing else is stopped.',
    '  Why     ENOSPC: no space left on device, write',
    '  Data    Guests write on.',
    '  To do   Make room on the disk of /data/replica-site; it then starts by itself.',
    '  Log     /data/logs/replica-site.log',
  ]);
});

test('a process without a reason of its own is shown by its last lines', () => {
  const text = deathText(PROCESS, processEnd('ended with exit code 7', ['one', 'two', 'three', 'four']), FIRST);
  expect(text).toContain('It gave no reason. Its last lines:\n          two\n          three\n          four');
  expect(text).toContain('It is started again now');
  expect(deathText(PROCESS, processEnd('ended with SIGKILL', []), FIRST)).toContain('It was killed: by a person, or');
});

test('a taken port and a folder without permission each get their own advice', () => {
  const text = (reason: string): string => deathText(PROCESS, unstarted(new Error(reason)), FIRST);
  expect(text('Cannot listen on 127.0.0.1 port 1: EADDRINUSE')).toContain('Stop what listens on that port');
  expect(text("EACCES: permission denied, mkdir '/data'")).toContain('Let this user write to /data/replica-site');
});

test('a refusal is to be mended by a person, and a port that is not taken is not looked for', () => {
  const refused = {
    how: 'ended with exit code 2',
    reason: 'clients.json: no such caller',
    isRefusal: true,
    lastLines: [],
  };
  expect(deathText(PROCESS, refused, FIRST)).toContain('To do   Correct what the reason names');
  const elsewhere = unstarted(new Error('Cannot listen on 10.0.0.1 port 1: EADDRNOTAVAIL'));
  expect(deathText(PROCESS, elsewhere, FIRST)).toContain('To do   Make that address and port usable');
  const quota = unstarted(new Error('There is no room left to store a change in /data.'));
  expect(deathText(PROCESS, quota, FIRST)).toContain('To do   Make room on the disk');
});

test('the second death for one reason says what to do, since the first may have asked for nothing', () => {
  const end = processEnd('ended with exit code 1', []);
  const again = deathText(PROCESS, end, { deaths: 2, pauseMs: 1_000, detail: 'line' });
  expect(again.split('\n')).toEqual([
    'The replica site ended with exit code 1 again, 2 times in a row now, for the same reason; next try in 1 s.',
    '  To do   Read the log for the cause. It is started again until Ctrl-C, at least once a minute.',
    '  Log     /data/logs/replica-site.log',
  ]);
});

test('a death that is known already takes one line', () => {
  const restart = { deaths: 5, pauseMs: 8_000, detail: 'line' } as const;
  expect(deathText(PROCESS, processEnd('ended with exit code 1', []), restart)).toBe(
    'The replica site ended with exit code 1 again, 5 times in a row now, for the same reason; next try in 8 s.',
  );
});
