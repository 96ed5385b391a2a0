// The flags of `plan` and `move`, as the input of a move.
import type { Command } from 'commander';
import { parseOrRefuse } from '../../contracts/errors.js';
import { moveInputSchema, type ParsedMoveInput } from '../../contracts/move.js';
import type { KeepRequest } from '../../contracts/retention.js';
import type { GlobalFlags } from './session.js';
import { withoutUndefined } from './without-undefined.js';

export interface MoveInputFlags extends GlobalFlags {
  readonly to: string;
  readonly from?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly verify?: boolean;
  readonly keepLeft?: KeepRequest;
}

export function withMoveFlags(command: Command): Command {
  return command
    .argument('<volume...>', 'one volume, or several that leave at one cut')
    .requiredOption('--to <group>', 'the group to move to')
    .option('--from <group>', 'refuse unless the volumes are in this group');
}

/** @throws MoverError INVALID_REQUEST */
export function moveInputOf(volumes: readonly string[], flags: MoveInputFlags): ParsedMoveInput {
  const { to, from, operator, reason, verify, keepLeft } = flags;
  const options = keepLeft === undefined ? undefined : { keepLeft };
  const what = volumes.length === 1 ? { volume: volumes[0] } : { volumes };
  const given = withoutUndefined({ ...what, to, from, operator, reason, verify, options });
  return parseOrRefuse(moveInputSchema, given, 'move');
}
