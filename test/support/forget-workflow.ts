// A workflow whose history is gone, as after the namespace's retention.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { untilTrue } from './until.js';

/**
 * Settings of a server that soon deletes a history. It does so only once its queue of transfer
 * tasks has recorded that the run's close was dealt with, every 30 s by default, and looks again
 * after 3 s and then half as much longer each time (common/util.go).
 */
export const FORGETS_SOON = ['history.transferProcessorUpdateAckInterval="1s"'];
/** Longest time until the server has deleted a history, ms: 62 s without those settings. */
const FORGOTTEN_MS_MAX = 90_000;
/** Time limit of a test that forgets one workflow, ms. */
export const FORGETTING_TEST_MS = FORGOTTEN_MS_MAX + 30_000;

/**
 * Deletes the run, and returns once the server does not know it any more.
 * @param id `workflowId@runId`
 */
export async function forgetWorkflow(temporal: Client, id: string): Promise<void> {
  const [workflowId = '', runId = ''] = id.split('@');
  await temporal.connection.workflowService.deleteWorkflowExecution({
    namespace: temporal.options.namespace,
    workflowExecution: { workflowId, runId },
  });
  await untilTrue(`the end of the history of ${id}`, FORGOTTEN_MS_MAX, async () =>
    temporal.workflow
      .getHandle(workflowId, runId)
      .describe()
      .then(
        () => false,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return true;
          throw error;
        },
      ),
  );
}
