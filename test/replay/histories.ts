// The recorded histories: one file for each way a move can end and for each run of a batch, as a
// worker of this code wrote them.
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const HISTORIES = fileURLToPath(new URL('./histories/', import.meta.url));

export type History = ReturnType<typeof historyFromJSON>;

export function historyNames(): string[] {
  return readdirSync(HISTORIES)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length));
}

/**
 * The workflow's own id: those of a batch's moves begin with it, so that it replays under no other.
 */
export function workflowIdOf({ events }: History): string {
  const workflowId = events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  if (!workflowId) throw new Error('The history does not say whose it is.');
  return workflowId;
}

export function readHistory(name: string): History {
  const content: unknown = JSON.parse(readFileSync(join(HISTORIES, `${name}.json`), 'utf8'));
  return historyFromJSON(content);
}
