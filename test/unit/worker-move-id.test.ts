// Move ids from workflow ids of any script and length.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { moveIdSchema } from '../../contracts/ids.js';
import { moveIdOf } from '../../contracts/move-id.js';

const RUN = '019aad4e-0000-7000-8000-000000000000';

test('an ordinary workflow id stays readable', () => {
  expect(moveIdOf('move-vm-1/nightly@2026-11-23T01:00:00Z#1', RUN)).toBe(
    `move-vm-1/nightly@2026-11-23T01:00:00Z#1@${RUN}`,
  );
});

test('spaces, control characters and other scripts are percent-encoded', () => {
  expect(moveIdOf('déjà vu\t100%', RUN)).toBe(`d%C3%A9j%C3%A0%20vu%09100%25@${RUN}`);
});

/** Any code point but half a surrogate pair, which no protocol buffer carries. */
const ANY_LETTER = fc
  .integer({ min: 0x20, max: 0x1_0fff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

test('every workflow id that is short enough is a move id, and two never become one', () => {
  const workflowId = fc.string({ unit: ANY_LETTER, minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(workflowId, workflowId, (one, other) => {
      const id = moveIdOf(one, RUN);
      expect(moveIdSchema.safeParse(id).success).toBe(true);
      if (one !== other) expect(moveIdOf(other, RUN)).not.toBe(id);
    }),
  );
});

test('a workflow id that is too long is refused with the limit', () => {
  expect(moveIdOf('w'.repeat(263), RUN)).toHaveLength(300);
  expect(() => moveIdOf('w'.repeat(264), RUN)).toThrow('a move takes at most 263 characters');
});
