// What lines of a log carry: which move and attempt a step's line is about, and never a secret.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { redact } from '../../control/log-secrets.js';
import { aboutOf } from '../../workers/step-log.js';

const ATTEMPT = { move: 'm@r', n: 2 };

test.each([
  ['a step that is given the attempt', [{ volume: 'v1', to: 'g2' }, ATTEMPT, 7], { move: 'm@r', attempt: 2 }],
  [
    'one that is given its context',
    [{ attempt: { ...ATTEMPT, ticket: 9 }, volumes: [] }, {}],
    { move: 'm@r', attempt: 2 },
  ],
  ['a compensation', [{ attempt: ATTEMPT, state: 'ABORTED', seals: [] }, 'ABORTED'], { move: 'm@r', attempt: 2 }],
  ['a report', [{ move: 'm@r', outcome: 'moved', to: 'g2' }], { move: 'm@r' }],
  ['what concerns no move', [{ batch: 'b@r' }, 3], {}],
  ['nothing at all', [], {}],
])('%s names what it is about', (_what, args, about) => {
  expect(aboutOf(args)).toEqual(about);
});

test('secrets are left out of fields, headers and causes of errors, and nothing else is', () => {
  const lines: string[] = [];
  const log = pino({ redact, base: {} }, { write: (line) => void lines.push(line) });
  const cause = Object.assign(new Error('refused'), { headers: { authorization: 'Bearer hunter2' } });
  log.warn({ token: 'hunter2', move: 'm@r', caller: { name: 'ann', apiKey: 'hunter2' }, err: cause }, 'a line');
  expect(lines.join()).not.toContain('hunter2');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    token: '[secret]',
    move: 'm@r',
    caller: { name: 'ann', apiKey: '[secret]' },
    err: { message: 'refused', headers: { authorization: '[secret]' } },
    msg: 'a line',
  });
});
