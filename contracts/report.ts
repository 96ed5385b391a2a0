// Durable reports: the replica site keeps them after Temporal has dropped the history of a move or
// batch.
import { z } from 'zod';
import { verdictSchema, wayBackSchema } from './attempt.js';
import { batchIdSchema, batchItemSchema, batchLeftOutSchema, batchReportSchema } from './batch.js';
import { problemSchema } from './errors.js';
import { groupIdSchema, moveIdSchema, volumeIdSchema } from './ids.js';
import { moveProgressSchema, moveReportSchema } from './move.js';
import { countSchema, timeMsSchema } from './numbers.js';
import { operation } from './route.js';

/** Reports in one page of a listing. */
export const REPORTS_PER_PAGE_MAX = 500;
/** Planned moves in one page, for storing and reading. */
export const BATCH_PLAN_PAGE_MAX = 200;

/** How a move ended. */
export const moveOutcomeSchema = z.enum(['moved', 'failed', 'cancelled', 'terminated']);

/** How a move ended whose workflow was ended from outside, and what became of its attempt. */
export const moveEndingSchema = z.strictObject({
  how: z.enum(['terminated', 'timed out']),
  /** Who terminated it, as Temporal has it; absent when nobody said. */
  by: z.string().optional(),
  why: z.string().optional(),
  attempt: z.number().int(),
  /** The replica site's verdict on the attempt; absent when it is not known. */
  verdict: verdictSchema.optional(),
  /** What was done about the attempt, as a sentence. */
  done: z.string(),
  /** What remained then and why, as sentences. */
  left: z.array(z.string()),
  /** Why the attempt was aborted, by the replica site's record: who cleaned up. */
  record: z.string().optional(),
});
export type MoveEnding = z.infer<typeof moveEndingSchema>;

export const storedMoveReportSchema = z.strictObject({
  move: moveIdSchema,
  outcome: moveOutcomeSchema,
  volumes: z.array(volumeIdSchema),
  from: groupIdSchema.optional(),
  to: groupIdSchema,
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  operator: z.string().optional(),
  reason: z.string().optional(),
  batch: batchIdSchema.optional(),
  seq: countSchema.optional(),
  /** Set for a move that is done, even if its verification failed afterwards. */
  report: moveReportSchema.optional(),
  /** The way back of a reversible move as it is now, or how it ended; filled in when it is read. */
  wayBack: wayBackSchema.optional(),
  /** Set for a move that is not done: how far it came. */
  progress: moveProgressSchema.optional(),
  /** Set for a move that is not done: why it failed. */
  problem: problemSchema.optional(),
  /** Set for a move whose workflow was ended from outside, once its attempt has come to its end. */
  ending: moveEndingSchema.optional(),
});
export type StoredMoveReport = z.infer<typeof storedMoveReportSchema>;

/**
 * One draft of a plan. A repeated activity may write two at once. Their pages don't mix, and the
 * draft completed first counts.
 */
const planDraftSchema = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces')
  .default('plan');

const pageInput = {
  cursor: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(REPORTS_PER_PAGE_MAX).default(REPORTS_PER_PAGE_MAX),
};

export const reportsApi = {
  storeReport: operation({
    method: 'POST',
    path: '/v1/reports/store',
    roles: ['move'],
    summary: 'Store the final report of a move, for ever. A later one of the same move (after Reset) takes its place.',
    input: storedMoveReportSchema,
    output: z.strictObject({}),
  }),
  report: operation({
    method: 'GET',
    path: '/v1/reports/move',
    roles: ['read'],
    summary: 'The stored report of a move; of the newest move of a workflow id, when only that is given.',
    input: z.strictObject({ move: moveIdSchema }),
    output: storedMoveReportSchema,
  }),
  reports: operation({
    method: 'GET',
    path: '/v1/reports',
    roles: ['read'],
    summary:
      'Stored reports of the moves of a batch, in its order (tries of the same move one after another), or of all moves by end, newest first.',
    input: z.strictObject({ ...pageInput, batch: batchIdSchema.optional(), outcome: moveOutcomeSchema.optional() }),
    output: z.strictObject({ reports: z.array(storedMoveReportSchema), next: z.string().optional() }),
  }),
  storeBatchPlan: operation({
    method: 'POST',
    path: '/v1/batches/plan/store',
    roles: ['move'],
    routine: true,
    summary:
      'Store a page of a batch’s plan: its moves from seq `from` on. Storing a page again is no error; once the plan is finished it changes nothing.',
    input: z.strictObject({
      batch: batchIdSchema,
      draft: planDraftSchema,
      from: countSchema,
      items: z.array(batchItemSchema).max(BATCH_PLAN_PAGE_MAX),
    }),
    output: z.strictObject({}),
  }),
  finishBatchPlan: operation({
    method: 'POST',
    path: '/v1/batches/plan/finish',
    roles: ['move'],
    summary:
      'Complete the plan: the number of its moves, and what it leaves out. The first completed plan counts. Refused (INVALID_REQUEST) when moves of the draft are missing.',
    input: z.strictObject({
      batch: batchIdSchema,
      draft: planDraftSchema,
      planned: countSchema,
      alreadyThere: countSchema,
      refused: countSchema,
      leftOut: z.array(batchLeftOutSchema).max(100),
      plannedAtMs: timeMsSchema,
    }),
    output: z.strictObject({ planned: countSchema }),
  }),
  batchPlan: operation({
    method: 'GET',
    path: '/v1/batches/plan',
    roles: ['read'],
    summary: 'Moves of a batch’s plan from a seq on, and how many there are.',
    input: z.strictObject({
      batch: batchIdSchema,
      from: z.coerce.number().int().min(0).default(0),
      limit: z.coerce.number().int().min(1).max(BATCH_PLAN_PAGE_MAX).default(BATCH_PLAN_PAGE_MAX),
    }),
    output: z.strictObject({
      items: z.array(batchItemSchema),
      /** Absent until the plan is complete. */
      planned: countSchema.optional(),
      alreadyThere: countSchema.optional(),
      refused: countSchema.optional(),
      leftOut: z.array(batchLeftOutSchema),
    }),
  }),
  storeBatchReport: operation({
    method: 'POST',
    path: '/v1/batches/report/store',
    roles: ['move'],
    summary: 'Store the final report of a batch.',
    input: batchReportSchema,
    output: z.strictObject({}),
  }),
  batchReport: operation({
    method: 'GET',
    path: '/v1/batches/report',
    roles: ['read'],
    summary: 'The stored report of a batch.',
    input: z.strictObject({ batch: batchIdSchema }),
    output: batchReportSchema,
  }),
} as const;
