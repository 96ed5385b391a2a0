// The flags of `plan` and `move` as a move's input.
import type { Command } from 'commander';
import type { MoveInput } from '../../contracts/move.js';
import type { KeepRequest } from '../../contracts/retention.js';
import type { GlobalFlags } from './session.js';

export interface MoveInputFlags extends GlobalFlags {
  readonly to: string;
  readonly from?: string;
  readonly operator?: string;
  readonly reason?: string;
  readonly verify?: boolean;
  readonly keepLeft?: KeepRequest;
  readonly manual?: boolean;
  readonly queue?: boolean;
  readonly fenceFrom?: number;
  readonly fenceBy?: number;
}

export function withMoveFlags(command: Command): Command {
  return command
    .argument('<volume...>', 'one volume, or several that leave at one cut')
    .requiredOption('--to <group>', 'the group to move to')
    .option('--from <group>', 'refuse unless the volumes are in this group');
}

/** The input as typed; the client checks it. */
export function moveInputOf(volumes: readonly string[], flags: MoveInputFlags): MoveInput {
  const { to, from, operator, reason, verify, keepLeft, manual, queue, fenceFrom, fenceBy } = flags;
  const [first = '', ...more] = volumes;
  return {
    ...(more.length === 0 ? { volume: first } : { volumes: [...volumes] }),
    to,
    ...(from === undefined ? {} : { from }),
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    ...(verify === undefined ? {} : { verify }),
    ...(queue === undefined ? {} : { queue }),
    ...(manual === true ? { cutover: 'manual' as const } : {}),
    options: {
      ...(keepLeft === undefined ? {} : { keepLeft }),
      ...(fenceFrom === undefined ? {} : { fenceFromMs: fenceFrom }),
      ...(fenceBy === undefined ? {} : { fenceByMs: fenceBy }),
    },
  };
}
