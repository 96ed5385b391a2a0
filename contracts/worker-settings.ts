// How a worker shares its host and its Temporal server. The estate file, variables and flags may
// set each.
import { z } from 'zod';

/** Longest name of a task queue, characters. The server takes 1,000; a line of a log takes this. */
const TASK_QUEUE_LENGTH_MAX = 200;
const TASK_QUEUE_RULE = `a name of at most ${TASK_QUEUE_LENGTH_MAX} characters, printable ASCII without spaces`;

export const taskQueueSchema = z
  .string({ error: TASK_QUEUE_RULE })
  .regex(new RegExp(`^[\\x21-\\x7e]{1,${TASK_QUEUE_LENGTH_MAX}}$`), TASK_QUEUE_RULE);

/** Tasks at once. More than this is a mistake: each takes memory. */
const SLOTS_MAX = 100_000;
/** The SDK needs two while it caches workflows: one for new work, one for the cached. */
const WORKFLOW_TASKS_MIN = 2;
const POLLERS_MAX = 1_000;
const CACHED_MAX = 1_000_000;
const PER_SECOND_MAX = 1_000_000;

export const workerSettingsSchema = z.strictObject({
  /** The task queue that workers poll and clients start workflows on. Default: `volume-mover`. */
  taskQueue: taskQueueSchema.optional(),
  /** Workflow tasks at once. Default: 40. */
  workflowSlots: whole(WORKFLOW_TASKS_MIN, SLOTS_MAX),
  /** Steps at once; each waits most of its time. Default: 500. */
  activitySlots: whole(1, SLOTS_MAX),
  /** Short steps that run inside a workflow task, at once. Default: 100. */
  localActivitySlots: whole(1, SLOTS_MAX),
  /** Workflows kept in memory; 0 keeps none. Default: as many as the heap holds. */
  cachedWorkflows: whole(0, CACHED_MAX),
  /** Calls that wait for a workflow task. Default: 10. */
  workflowPollers: whole(WORKFLOW_TASKS_MIN, POLLERS_MAX),
  /** Calls that wait for a step. Default: 10. */
  activityPollers: whole(1, POLLERS_MAX),
  /** Steps that this worker begins in a second. Default: no limit. */
  activitiesPerSecond: rate(),
  /** Steps that all workers of the task queue begin in a second. Default: no limit. */
  queueActivitiesPerSecond: rate(),
});
export type WorkerSettings = z.output<typeof workerSettingsSchema>;

function whole(min: number, max: number): z.ZodOptional<z.ZodNumber> {
  const error = `a whole number from ${min} to ${max}`;
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error })
    .optional();
}

function rate(): z.ZodOptional<z.ZodNumber> {
  const error = `a number above 0, at most ${PER_SECOND_MAX}`;
  return z
    .number({ error })
    .refine((value) => value > 0 && value <= PER_SECOND_MAX, { error })
    .optional();
}
