// Shows what a dry run of a batch found: each move that could be made, or why not.
import type { Batch } from '../batches/batch-client.js';
import { namesOf } from '../batches/batch-lines.js';
import type { BatchMoveReport } from '../batches/batch-moves.js';
import type { MoverClient } from '../sdk.js';
import { bytes } from '../text/format.js';
import { printable } from '../text/printable.js';
import { table } from '../text/table.js';

/** Moves shown. The report of the batch lists any number. */
const SHOWN_MAX = 100;
const TITLES = ['VOLUMES', 'FROM', 'TO', 'SIZE', 'RESULT'];

export interface PlannedMoves {
  readonly moves: readonly BatchMoveReport[];
  /** Moves that are not shown. */
  readonly more: number;
}

/** The first moves that a dry run planned. @throws MoverError UNREACHABLE */
export async function plannedMoves({ batches }: MoverClient, { batchId, report }: Batch): Promise<PlannedMoves> {
  const moves: BatchMoveReport[] = [];
  for await (const move of batches.moves(batchId)) {
    moves.push(move);
    if (moves.length === SHOWN_MAX) break;
  }
  return { moves, more: Math.max(0, (report?.counts.planned ?? moves.length) - moves.length) };
}

export function plannedMoveLines(batch: Batch, { moves, more }: PlannedMoves, columns: number | undefined): string[] {
  if (moves.length === 0) return [];
  const against = new Map(batch.report?.failures.map(({ seq, message }) => [seq, message]));
  const rows = moves.map(({ seq, volumes, from, to, sizeBytes }) => [
    namesOf(volumes),
    from,
    to,
    bytes(sizeBytes),
    printable(against.get(seq) ?? 'can be made'),
  ]);
  return [
    '',
    table(TITLES, rows, { columns }),
    ...(more === 0 ? [] : [`… and ${more} more; all of them: volume-mover batch report ${batch.workflowId}`]),
  ];
}
