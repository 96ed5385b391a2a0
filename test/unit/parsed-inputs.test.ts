// Inputs of simulated control calls: parsed once for each content, and each content by its own
// schema.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ParsedInputs } from '../simulation/parsed-inputs.js';

const page = z.strictObject({ limit: z.number().default(10) });

test('each content is parsed by the schema it is for, and refused each time it does not fit', () => {
  const inputs = new ParsedInputs();
  const other = z.strictObject({ limit: z.number().default(20) });
  expect(inputs.of(page, {})).toEqual({ limit: 10 });
  expect(inputs.of(other, {})).toEqual({ limit: 20 });
  expect(inputs.of(page, {})).toBe(inputs.of(page, {}));
  expect(inputs.of(page, { limit: 3 })).toEqual({ limit: 3 });
  for (const _again of [1, 2]) expect(() => inputs.of(page, { limit: 'all' })).toThrow(z.ZodError);
});
