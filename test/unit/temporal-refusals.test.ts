// What the client makes of Temporal's refusals: a request that is wrong or not allowed is not told
// as a server that does not answer.
import { expect, test } from 'vitest';
import { fromSchedule, fromTemporal } from '../../client/temporal/failure.js';
import { isSilence, MoverError } from '../../contracts/errors.js';

/** An error of the gRPC client, as it is found inside the SDK's own. */
function serviceError(code: number, details: string): Error {
  const inner = Object.assign(new Error(`${code} ${details}`), { code, details, metadata: {} });
  return new Error('Failed to query workflow', { cause: inner });
}

test.each([
  [3, 'page token is invalid', 'INVALID_REQUEST', 'Temporal does not accept the request: page token is invalid.'],
  [
    7,
    'no right to write',
    'FORBIDDEN',
    'Temporal refuses this client: no right to write. Check the API key (TEMPORAL_API_KEY, ',
  ],
  [
    16,
    'unknown key',
    'UNAUTHORIZED',
    'Temporal refuses this client: unknown key. Check the API key (TEMPORAL_API_KEY, ',
  ],
  [14, 'no connection', 'UNREACHABLE', 'Temporal did not carry out the request: '],
])('code %i is %s: %s', (code, details, expected, message) => {
  const error = fromTemporal(serviceError(code, details), 'move-1', 'move');
  expect(error.code).toBe(expected);
  expect(error.message).toContain(message);
  expect(isSilence(error)).toBe(code === 14);
});

test('a schedule is refused in the same words', () => {
  expect(fromSchedule(serviceError(7, 'no right'), 'nightly')).toMatchObject({ code: 'FORBIDDEN' });
  expect(fromSchedule(serviceError(3, 'bad spec'), 'nightly').message).toContain(
    'does not accept the schedule: bad spec',
  );
});

test('silence is any way of a process to give no answer, and nothing else', () => {
  for (const code of ['UNREACHABLE', 'LINK_DOWN', 'SHUTTING_DOWN'] as const)
    expect(isSilence(new MoverError(code, 'gone'))).toBe(true);
  expect(isSilence(new MoverError('FORBIDDEN', 'no'))).toBe(false);
  expect(isSilence(new Error('gone'))).toBe(false);
});
