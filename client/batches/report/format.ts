// How a form of a batch's report is made: from its moves one by one, so that a batch of any size
// needs little room.
import type { BatchMoveReport } from '../batch-moves.js';

export interface BatchReportFormat {
  begin(): string;
  /** In the batch's order. */
  move(move: BatchMoveReport): string;
  end(): string;
}
