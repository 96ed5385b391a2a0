// Corrects a schedule made by hand: sets what the Temporal UI's form could not set, and leaves the
// rest.
import type { ScheduleDescription, ScheduleUpdateOptions } from '@temporalio/client';
import { z } from 'zod';
import { batchInputSchema } from '../../contracts/batch.js';
import { parseOrRefuse } from '../../contracts/errors.js';
import {
  type Action,
  actionOf,
  attributesOf,
  type Place,
  policiesOf,
  unsearchable,
  workflowIdOf,
} from './schedule-action.js';
import { CATCH_UP_MS_DEFAULT, catchUpMsSchema, jitterMsSchema, type Overlap, overlapSchema } from './schedule-input.js';
import { CATCH_UP_MS_SENSIBLE } from './schedule-warnings.js';

export interface AdoptOptions {
  readonly overlap?: Overlap | undefined;
  /** Default: the present value if it is sensible, else 10 minutes. */
  readonly catchUpMs?: number | undefined;
  readonly jitterMs?: number | undefined;
  readonly pauseOnFailure?: boolean | undefined;
  /** Time zone for a schedule that has none. Its times are read in it from then on. */
  readonly timeZone?: string | undefined;
}

const adoptSchema = z.strictObject({
  overlap: overlapSchema,
  catchUpMs: catchUpMsSchema,
  jitterMs: jitterMsSchema,
  pauseOnFailure: z.boolean(),
});

/** The corrected schedule. @throws MoverError INVALID_REQUEST */
export function adoptedFrom(
  name: string,
  { spec, action, policies, state, typedSearchAttributes }: ScheduleDescription,
  options: AdoptOptions,
  withAttributes: boolean,
  place: Place,
): ScheduleUpdateOptions<Action> {
  const keptCatchUpMs = policies.catchupWindow > CATCH_UP_MS_SENSIBLE ? CATCH_UP_MS_DEFAULT : policies.catchupWindow;
  const { jitterMs, ...settings } = parseOrRefuse(
    adoptSchema,
    {
      overlap: options.overlap ?? 'SKIP',
      catchUpMs: options.catchUpMs ?? keptCatchUpMs,
      jitterMs: options.jitterMs ?? spec.jitter ?? 0,
      pauseOnFailure: options.pauseOnFailure ?? true,
    },
    'adopt',
  );
  const batch = parseOrRefuse(batchInputSchema, action.args?.[0], 'batch');
  const made = actionOf({ name, batch }, place);
  const timezone = spec.timezone || options.timeZone;
  return {
    spec: {
      ...spec,
      ...(timezone === undefined ? {} : { timezone }),
      jitter: jitterMs,
    },
    policies: policiesOf(settings),
    state,
    action: {
      ...action,
      ...(withAttributes ? made : unsearchable(made)),
      workflowId: action.workflowId ?? workflowIdOf(name),
      args: action.args ?? [],
    },
    ...(withAttributes
      ? { typedSearchAttributes: typedSearchAttributes.updateCopy(attributesOf(batch, place).getAll()) }
      : {}),
  };
}
