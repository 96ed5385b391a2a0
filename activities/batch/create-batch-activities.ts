// The activities of a batch, over ports and the worker's own Temporal client.
import { Context } from '@temporalio/activity';
import type { BatchId, BatchItem, BatchReport, MaintenanceWindow } from '../../contracts/batch.js';
import type { AwaitedMove, OpenWindow, PlannedBatch } from '../../contracts/batch-run.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { StoredMoveReport } from '../../contracts/report.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { runBeating } from '../step-run.js';
import { awaitMoves, type AwaitHeartbeat, type AwaitWork, cancelMoves } from './await-moves.js';
import { compareSelection, type Compared, type CompareWork } from './compare-selection.js';
import { type DryRun, dryRun, type DryRunWork } from './dry-run.js';
import { planBatch, type PlanHeartbeat, type PlanWork } from './plan-batch.js';
import { readPlan } from '../../control/batch-plan.js';
import { findInPlan } from './find-in-plan.js';
import { windowOf } from '../../control/clock/window.js';

export interface BatchSettings {
  /** Events of one run of a batch's workflow after which it continues as new. */
  readonly runEventsMax: number;
}

/**
 * The heartbeat of activities with no progress to resume from. Only `findInPlan` fills it: moves of
 * the plan looked at so far.
 */
type CountHeartbeat = { readonly looked: number };

/** Makes the activities. Each may run again with the same arguments at any time. */
export function createBatchActivities(ports: Ports, { runEventsMax }: BatchSettings) {
  return {
    planBatch: async (work: PlanWork): Promise<PlannedBatch> =>
      runBeating<PlannedBatch, PlanHeartbeat>(ports, async (run, within) => ({
        ...(await planBatch(within, work, thisRun(), run)),
        runEventsMax,
      })),
    readPlan: async (work: { readonly batch: BatchId; readonly seqs: readonly number[] }): Promise<BatchItem[]> =>
      runBeating<BatchItem[], CountHeartbeat>(ports, async (_run, within) => readPlan(within, work)),
    findInPlan: async (work: { readonly batch: BatchId; readonly volume: VolumeId }): Promise<BatchItem> =>
      runBeating<BatchItem, CountHeartbeat>(ports, async (run, within) => findInPlan(within, work, run)),
    windowOf: async (window: MaintenanceWindow, atMs: number): Promise<OpenWindow> =>
      runBeating<OpenWindow, CountHeartbeat>(ports, async () => windowOf(window, atMs)),
    awaitMoves: async (work: AwaitWork): Promise<AwaitedMove[]> =>
      runBeating<AwaitedMove[], AwaitHeartbeat>(ports, async (run) =>
        awaitMoves(Context.current().client.workflow, work, run),
      ),
    cancelMoves: async (workflowIds: readonly string[]): Promise<void> =>
      runBeating<void, CountHeartbeat>(ports, async () => cancelMoves(Context.current().client.workflow, workflowIds)),
    /**
     * Cancels the batch's own workflow, so that a batch whose earlier run was cancelled ends as
     * cancelled.
     */
    cancelOwnWorkflow: async (): Promise<void> =>
      runBeating<void, CountHeartbeat>(ports, async () => {
        const { client, info } = Context.current();
        const { workflowId, runId } = info.workflowExecution ?? {};
        if (workflowId !== undefined) await client.workflow.getHandle(workflowId, runId).cancel();
      }),
    dryRun: async (work: DryRunWork): Promise<DryRun> =>
      runBeating<DryRun, DryRun>(ports, async (run, within) =>
        dryRun(within, work, Context.current().info.heartbeatDetails, run),
      ),
    compareSelection: async (work: CompareWork): Promise<Compared> =>
      runBeating<Compared, CountHeartbeat>(ports, async (_run, within) => compareSelection(within, work)),
    /** Stores a report for a move that could not store one. Never replaces the move's own. */
    storeLostMove: async (report: StoredMoveReport): Promise<void> =>
      runBeating<void, CountHeartbeat>(ports, async (_run, within) => storeLostMove(within, report)),
    storeBatchReport: async (report: BatchReport): Promise<void> =>
      runBeating<void, CountHeartbeat>(ports, async (_run, within) => {
        await anyAppliance(within, ({ calls }) => calls.storeBatchReport(report));
      }),
  };
}

async function storeLostMove(ports: Ports, report: StoredMoveReport): Promise<void> {
  try {
    await anyAppliance(ports, ({ calls }) => calls.report({ move: report.move }));
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'REPORT_NOT_FOUND') throw error;
    await anyAppliance(ports, ({ calls }) => calls.storeReport(report));
  }
}

/** A name for one try of an activity, different from every other. */
function thisRun(): string {
  const { workflowExecution, activityId, attempt } = Context.current().info;
  return `${workflowExecution?.runId ?? ''}.${activityId}.${attempt}`;
}
