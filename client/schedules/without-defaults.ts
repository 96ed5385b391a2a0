// Shortens a batch's input, since people read it in the schedule and type it into the UI.
import { isDeepStrictEqual } from 'node:util';
import { type BatchInput, batchInputSchema, type ParsedBatchInput } from '../../contracts/batch.js';

/** Removes the defaults that the contract fills in. */
export function withoutDefaults({ dryRun, options, ...rest }: ParsedBatchInput): BatchInput {
  const schema = batchInputSchema.shape.options;
  const kept = Object.entries(options).filter(([field]) => {
    const others = Object.fromEntries(Object.entries(options).filter(([other]) => other !== field));
    return !isDeepStrictEqual(schema.parse(others), options);
  });
  return {
    ...rest,
    ...(dryRun ? { dryRun } : {}),
    ...(kept.length === 0 ? {} : { options: Object.fromEntries(kept) }),
  };
}
