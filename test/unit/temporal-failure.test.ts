// What Temporal's client throws when a call gets no answer.
import { ServiceError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { isUnanswered } from '../../client/temporal/failure.js';

const [CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, NOT_FOUND] = [1, 2, 4, 5];

/** An error like grpc's. */
function grpcError(code: number): Error {
  return Object.assign(new Error(`${code}: no answer`), { code, details: 'no answer', metadata: {} });
}

test.each([
  ['the deadline, told by the client', DEADLINE_EXCEEDED, true],
  ['the deadline, told by the server as a cancelled stream', CANCELLED, true],
  ['an answer that is an error', UNKNOWN, false],
  ['an answer that there is none such', NOT_FOUND, false],
])('%s', (_what, code, isLost) => {
  expect(isUnanswered(grpcError(code))).toBe(isLost);
  expect(isUnanswered(new ServiceError('Failed to describe schedule', { cause: grpcError(code) }))).toBe(isLost);
});
