// The answer of commands that show one batch, with its exit code.
import { toProblem } from '../../contracts/errors.js';
import type { Batch } from '../batches/batch-client.js';
import type { MoverClient } from '../sdk.js';
import { exitCodeOfBatch } from './batch-exit.js';
import { batchLines } from './batch-view.js';
import { plannedMoveLines, plannedMoves } from './dry-run-view.js';
import type { ExitCode } from './exit-code.js';
import type { Output } from './output.js';

/** Answers with a batch; with a dry run's moves too, since nothing else shows what it found. */
export async function answerWithBatch(client: MoverClient, batch: Batch, output: Output): Promise<ExitCode> {
  const planned = batch.state === 'dry-run' ? await plannedMoves(client, batch) : undefined;
  const json = planned === undefined ? batchJson(batch) : { ...batchJson(batch), ...planned };
  output.answer(json, (columns) =>
    [
      ...batchLines(batch, Date.now()),
      ...(planned === undefined ? [] : plannedMoveLines(batch, planned, columns)),
    ].join('\n'),
  );
  return exitCodeOfBatch(batch);
}

function batchJson({ error, ...rest }: Batch): Record<string, unknown> {
  return error === undefined ? rest : { ...rest, error: toProblem(error) };
}
