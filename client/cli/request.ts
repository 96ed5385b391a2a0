// Flags of commands that ask something of a running move or batch: who asks, and why.
import type { Command } from 'commander';
import type { OperatorRequest } from '../../contracts/request.js';
import { operatorOf } from './operator.js';
import type { GlobalFlags } from './session.js';

export interface RequestFlags extends GlobalFlags {
  readonly operator?: string;
  readonly reason: string;
}

export function withRequest(command: Command): Command {
  return command
    .option('--operator <name>', 'who asks; kept in the history (default: your login name)')
    .requiredOption('--reason <text>', 'why; kept in the history');
}

export function requestOf({ operator, reason }: RequestFlags, environment: NodeJS.ProcessEnv): OperatorRequest {
  return { operator: operator ?? operatorOf(environment), reason };
}
