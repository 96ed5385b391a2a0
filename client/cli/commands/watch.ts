// volume-mover watch: follows moves to their ends, one line each; without an id all that run.
import { Command } from 'commander';
import { MoverError } from '../../../contracts/errors.js';
import type { Move, MoveClient } from '../../moves/move-client.js';
import { counted } from '../../text/format.js';
import { EXIT, type ExitCode } from '../exit-code.js';
import { followMoves } from '../follow-moves.js';
import { moveJson } from '../move-json.js';
import { type CommandContext, type GlobalFlags, runCommand } from '../session.js';

/** Moves followed at once. Each costs the server a call every two seconds at most. */
const WATCHED_MAX = 200;

export function watchCommand(context: CommandContext): Command {
  return new Command('watch')
    .description(
      'follow moves to their ends, a live line each; Ctrl-C stops the watching, and the moves go on; exit code 1 unless all moved',
    )
    .argument('[move-id...]', 'as printed when the move was started; without one, every move that runs now')
    .action(async (named: string[], flags: GlobalFlags) =>
      runCommand(context, flags, async ({ client, output, signal }) => {
        const ids = named.length > 0 ? [...new Set(named)] : await runningMoves(client.moves);
        if (ids.length > WATCHED_MAX)
          throw new MoverError('INVALID_REQUEST', `move-id: at most ${WATCHED_MAX} moves can be watched at once.`);
        try {
          const moves = await followMoves(client, ids, output, signal);
          output.answer({ moves: moves.map(moveJson) }, () => summaryOf(moves));
          return exitCodeOfMoves(moves);
        } catch (error) {
          if (!signal.aborted) throw error;
          const again = `volume-mover watch ${named.join(' ')}`.trimEnd();
          output.answer(
            { moves: ids, interrupted: true },
            () => `Interrupted: the moves go on. Watch them again with: ${again}`,
          );
          return EXIT.interrupted;
        }
      }),
    );
}

async function runningMoves(moves: MoveClient): Promise<string[]> {
  return (await moves.list({ state: 'running', limit: WATCHED_MAX })).map(({ moveId }) => moveId);
}

/** @example "3 moved, 1 failed." */
function summaryOf(moves: readonly Move[]): string {
  if (moves.length === 0) return 'No move runs.';
  const counts = new Map<string, number>();
  for (const { state } of moves) counts.set(state, (counts.get(state) ?? 0) + 1);
  return `${counted(moves.length, 'move')} ended: ${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}.`;
}

function exitCodeOfMoves(moves: readonly Move[]): ExitCode {
  return moves.every(({ state }) => state === 'moved') ? EXIT.ok : EXIT.failed;
}
