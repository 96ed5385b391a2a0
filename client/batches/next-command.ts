// What a person may type next about a batch that waits.
import type { BatchProgress } from '../../contracts/batch.js';
import { parseMoveId } from '../../contracts/move-id.js';

/** The commands that end a batch's waiting; none while it goes on by itself. */
export function nextCommands({ batch, stage }: Pick<BatchProgress, 'batch' | 'stage'>): string[] {
  // The workflow id means its newest batch, which is the one that runs.
  const { workflowId } = parseMoveId(batch);
  switch (stage) {
    case 'waiting-for-approval':
      return [
        `to start the other moves: volume-mover batch approve ${workflowId} --reason <why>`,
        `to end it here: volume-mover batch abort ${workflowId} --reason <why>`,
      ];
    case 'paused':
      return [`to go on: volume-mover batch resume ${workflowId} --reason <why>`];
    case 'planning':
    case 'waiting-for-window':
    case 'canary':
    case 'running':
    case 'stopping':
    case 'done':
    case 'failed':
      return [];
  }
}
