// The words of `plan` and `move`, as the input of a move. What they may be is checked where every
// move's input is.
import type { Command } from 'commander';
import { parseOrRefuse } from '../../contracts/errors.js';
import { moveInputSchema, type ParsedMoveInput } from '../../contracts/move.js';
import type { KeepRequest } from '../../contracts/retention.js';
import type { GlobalOptions } from './session.js';

export interface MoveWords extends GlobalOptions {
  readonly to: string;
  readonly from?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly verify?: boolean;
  readonly keepLeft?: KeepRequest;
}

export function withMoveWords(command: Command): Command {
  return command
    .argument('<volume...>', 'one volume, or several that leave at one cut')
    .requiredOption('--to <group>', 'the group to move to')
    .option('--from <group>', 'refuse unless the volumes are in this group');
}

/** @throws MoverError INVALID_REQUEST */
export function moveInputOf(volumes: readonly string[], words: MoveWords): ParsedMoveInput {
  const { to, from, operator, reason, verify, keepLeft } = words;
  const options = keepLeft === undefined ? undefined : { keepLeft };
  const what = volumes.length === 1 ? { volume: volumes[0] } : { volumes };
  const input = { ...what, to, from, operator, reason, verify, options };
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  return parseOrRefuse(moveInputSchema, given, 'move');
}
