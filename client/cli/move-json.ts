// A move as `--json` shows it. Errors become the registry's problems.
import { toProblem } from '../../contracts/errors.js';
import type { Move } from '../moves/move-client.js';

export function moveJson(move: Move): Record<string, unknown> {
  const { error, ...rest } = move;
  return error === undefined ? rest : { ...rest, error: toProblem(error) };
}
