// What a batch was started with, from the first event of its history: whoever started it, and
// however.
import { type Client, defaultPayloadConverter } from '@temporalio/client';
import { type BatchInput, batchInputSchema, type ParsedBatchInput } from '../../contracts/batch.js';

/**
 * Undefined when the history is gone, or can't be read here (its payloads are encoded otherwise).
 */
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
