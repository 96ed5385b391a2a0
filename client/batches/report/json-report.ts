// A batch's report for programs: one JSON object, its moves streamed one by one.
import { toProblem } from '../../../contracts/errors.js';
import type { Batch } from '../batch-client.js';
import { BatchTally } from '../tally.js';
import type { BatchReportFormat } from './format.js';

export function jsonReport(batch: Batch): BatchReportFormat {
  const tally = new BatchTally();
  const { error, ...rest } = batch;
  return {
    begin: () => {
      const head = JSON.stringify(error === undefined ? rest : { ...rest, error: toProblem(error) });
      return `${head.slice(0, -1)},"moves":[`;
    },
    move: (move) => {
      const comma = tally.moves === 0 ? '' : ',';
      tally.add(move);
      return `${comma}\n${JSON.stringify(move)}`;
    },
    end: () => {
      const sums = { groups: tally.groups(), durations: tally.durations(), longest: tally.longest };
      return `\n],${JSON.stringify(sums).slice(1)}\n`;
    },
  };
}
