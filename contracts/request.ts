// What every request of a person to a running move or batch says: who asks, and why.
import { z } from 'zod';

export const requestSchema = z.strictObject({
  operator: z.string().min(1).max(200),
  reason: z.string().min(1).max(1_000),
});
export type OperatorRequest = z.output<typeof requestSchema>;
/** A request that says more: what a batch's requests add is checked by each of them. */
export const furtherRequestSchema = requestSchema.loose();
