// What Temporal is told of a step's error: its type is the registry's code, and whether a retry
// may help.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { expect, test } from 'vitest';
import { toFailure } from '../../activities/failure.js';
import { MoverError } from '../../contracts/errors.js';

test.each([
  ['may', 'UNREACHABLE', false],
  ["can't", 'MOVE_REFUSED', true],
] as const)(
  'an error that a retry %s mend says so, with its code, its message and its cause',
  (_may, code, isFinal) => {
    const cause = new Error('the socket closed');
    const failure = toFailure(new MoverError(code, 'no answer', { cause }));
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: code, message: 'no answer', nonRetryable: isFinal, cause });
    expect(failure).toMatchObject({ details: [expect.objectContaining({ code, detail: 'no answer' })] });
  },
);

test('an error without a cause has none', () => {
  expect(toFailure(new MoverError('UNREACHABLE', 'no answer')).cause).toBeUndefined();
});

test('a cancellation and a Temporal failure pass as they are', () => {
  const cancelled = new CancelledFailure('cancelled');
  const own = ApplicationFailure.nonRetryable('differs', 'VERIFY_MISMATCH');
  expect(toFailure(cancelled)).toBe(cancelled);
  expect(toFailure(own)).toBe(own);
});

test('what nobody foresaw is told as such, and may pass', () => {
  const bug = new RangeError('out of range');
  expect(toFailure(bug)).toMatchObject({ type: 'INTERNAL', nonRetryable: false, cause: bug });
  expect(toFailure(bug).message).toBe('Something unforeseen went wrong: out of range');
  const text = toFailure('a text');
  expect(text.message).toBe('Something unforeseen went wrong: a text');
  expect(text.cause).toBeUndefined();
});
