// Reads a batch's input from the first event of its history, so it works for a batch started by
// anyone.
import { type Client, defaultPayloadConverter } from '@temporalio/client';
import { type BatchInput, batchInputSchema, type ParsedBatchInput } from '../../contracts/batch.js';

/** The input; undefined when the history is gone or its payloads have another encoding. */
export async function firstInput(
  { workflowService, options: { namespace } }: Client,
  workflowId: string,
  runId: string,
): Promise<ParsedBatchInput | undefined> {
  try {
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
    });
    const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
    if (payload === undefined || payload === null) return undefined;
    return batchInputSchema.safeParse(defaultPayloadConverter.fromPayload<BatchInput>(payload)).data;
  } catch {
    return undefined;
  }
}
