// The input of a move, as a person may have typed it.
import { moveInputSchema, type MoveInput, type ParsedMoveInput } from '../../contracts/move.js';
import { parseInput } from '../shared/parse-input.js';

const EXAMPLE: MoveInput = { volume: 'vm-17-disk-0', to: 'cg-silver' };

/** Given by a batch to its moves, not by people. */
const INTERNAL: readonly (keyof MoveInput)[] = ['batch'];

/** @throws ApplicationFailure as `parseInput` */
export function parseMoveInput(args: readonly unknown[]): ParsedMoveInput {
  return parseInput(moveInputSchema, EXAMPLE, args, INTERNAL);
}
