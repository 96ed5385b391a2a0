// The flags of `plan` and `move` as a move's input.
import type { Command } from 'commander';
import type { MoveInput } from '../../contracts/move.js';
import type { KeepRequest } from '../../contracts/retention.js';
import type { ReverseInput } from '../moves/move-client.js';
import type { GlobalFlags } from './session.js';

/** The flags of every command that starts a move. */
export interface WishFlags extends GlobalFlags {
  readonly operator?: string;
  readonly reason?: string;
  readonly verify?: boolean;
  readonly keepLeft?: KeepRequest;
  readonly manual?: boolean;
  readonly queue?: boolean;
  readonly fenceFrom?: number;
  readonly fenceBy?: number;
  readonly reversible?: number;
}

export interface MoveInputFlags extends WishFlags {
  readonly to: string;
  readonly from?: string;
}

export function withMoveFlags(command: Command): Command {
  return command
    .argument('<volume...>', 'one volume, or several that leave at one cut')
    .requiredOption('--to <group>', 'the group to move to')
    .option('--from <group>', 'refuse unless the volumes are in this group');
}

/** The input as typed; the client checks it. */
export function moveInputOf(volumes: readonly string[], flags: MoveInputFlags): MoveInput {
  const { to, from } = flags;
  const [first = '', ...more] = volumes;
  return {
    ...(more.length === 0 ? { volume: first } : { volumes: [...volumes] }),
    to,
    ...(from === undefined ? {} : { from }),
    ...wishesOf(flags),
  };
}

/** The part of an input that is the same for any volumes and groups. */
export function wishesOf(flags: WishFlags): ReverseInput {
  const { operator, reason, verify, keepLeft, manual, queue, fenceFrom, fenceBy, reversible } = flags;
  return {
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    ...(verify === undefined ? {} : { verify }),
    ...(queue === undefined ? {} : { queue }),
    ...(manual === true ? { cutover: 'manual' as const } : {}),
    options: {
      ...(keepLeft === undefined ? {} : { keepLeft }),
      ...(fenceFrom === undefined ? {} : { fenceFromMs: fenceFrom }),
      ...(fenceBy === undefined ? {} : { fenceByMs: fenceBy }),
      ...(reversible === undefined ? {} : { reversibleForMs: reversible }),
    },
  };
}
