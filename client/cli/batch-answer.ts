// The answer of commands that show one batch, with its exit code.
import { toProblem } from '../../contracts/errors.js';
import type { Batch } from '../batches/batch-client.js';
import { exitCodeOfBatch } from './batch-exit.js';
import { batchLines } from './batch-view.js';
import type { ExitCode } from './exit-code.js';
import type { Output } from './output.js';

export function answerWithBatch(batch: Batch, output: Output): ExitCode {
  output.answer(batchJson(batch), () => batchLines(batch, Date.now()).join('\n'));
  return exitCodeOfBatch(batch);
}

function batchJson({ error, ...rest }: Batch): Record<string, unknown> {
  return error === undefined ? rest : { ...rest, error: toProblem(error) };
}
