// Arguments of the batch commands: the batch, and who asks for what.
import type { Command } from 'commander';
import type { BatchRequest } from '../../../batches/batch-client.js';
import { operatorOf } from '../../operator.js';
import type { GlobalFlags } from '../../session.js';

/** The reason recorded in the batch's history when none is given. */
const NO_REASON = 'no reason given';

export interface RequestFlags extends GlobalFlags {
  readonly operator?: string;
  readonly reason?: string;
}

export function withBatch(command: Command): Command {
  return command.argument('<batch-id>', 'as printed when the batch was started; a workflow id means its newest batch');
}

export function withRequest(command: Command): Command {
  return command
    .option('--operator <name>', 'who asks; kept in the history (default: your login name)')
    .option('--reason <text>', 'why; kept in the history');
}

export function requestOf({ operator, reason }: RequestFlags, environment: NodeJS.ProcessEnv): BatchRequest {
  return { operator: operator ?? operatorOf(environment), reason: reason ?? NO_REASON };
}
