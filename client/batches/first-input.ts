// Reads a batch's input from the first event of its history, so it works for a batch started by
// anyone.
import type { Client } from '@temporalio/client';
import { batchInputSchema, type ParsedBatchInput } from '../../contracts/batch.js';
import { payloadValue } from '../temporal/payload-value.js';

/** The input; undefined when the history is gone or its payloads have another encoding. */
export async function firstInput(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<ParsedBatchInput | undefined> {
  try {
    const { workflowService, options } = client;
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace: options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    return batchInputSchema.safeParse(await payloadValue(client, payload)).data;
  } catch {
    return undefined;
  }
}
