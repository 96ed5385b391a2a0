// The flags of commands that list workflows: moves, verifications and batches.
import { type Command, Option } from 'commander';
import { parseCount } from './batch-parsers.js';
import type { GlobalFlags } from './session.js';

export interface ListFlags<Outcome extends string> extends GlobalFlags {
  readonly running?: boolean;
  readonly outcome?: Outcome;
  readonly limit?: number;
}

export function withListFlags(command: Command, outcomes: readonly string[]): Command {
  return command
    .addOption(new Option('--running', 'only running ones').conflicts('outcome'))
    .addOption(new Option('--outcome <outcome>', 'only those with this outcome').choices(outcomes))
    .option('--limit <n>', 'how many at most (default 20)', parseCount);
}

/** The options of the SDK's `list`. */
export function listOptionsOf<Outcome extends string>({
  running,
  outcome,
  limit,
}: ListFlags<Outcome>): { readonly state: Outcome | 'running' | undefined; readonly limit: number | undefined } {
  return { state: running === true ? 'running' : outcome, limit };
}

/** A state with the stage of a running workflow. @example "running (flush)", "failed" */
export function stateText(state: string, stage?: string): string {
  return stage === undefined || stage === state ? state : `${state} (${stage})`;
}
