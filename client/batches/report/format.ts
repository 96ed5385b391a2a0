// The interface of a report's format. It takes moves one by one, so a batch of any size needs
// little memory.
import type { BatchMoveReport } from '../batch-moves.js';

export interface BatchReportFormat {
  begin(): string;
  /** Takes the next move, in the batch's order. */
  move(move: BatchMoveReport): string;
  end(): string;
}
