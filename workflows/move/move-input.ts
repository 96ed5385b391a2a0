// Reads the input of a move as a person may have typed it.
import { moveInputSchema, type MoveInput, type ParsedMoveInput } from '../../contracts/move.js';
import { parseInput } from '../shared/parse-input.js';

const EXAMPLE: MoveInput = { volume: 'vm-17-disk-0', to: 'cg-silver' };

/** Fields that a batch sets for its moves; people don't. */
const INTERNAL: readonly (keyof MoveInput)[] = ['batch'];

/** Parses a move's input. @throws ApplicationFailure as `parseInput` */
export function parseMoveInput(args: readonly unknown[]): ParsedMoveInput {
  return parseInput(moveInputSchema, EXAMPLE, args, INTERNAL);
}
