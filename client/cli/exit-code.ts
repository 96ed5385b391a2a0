// The command's exit codes, for scripts. `volume-mover --help` documents them.
import { ERRORS, MoverError } from '../../contracts/errors.js';

export const EXIT = {
  ok: 0,
  /** The operation failed. Everything is as before unless the message says otherwise. */
  failed: 1,
  /** The command line, an input or the estate file is wrong. */
  usage: 2,
  /** The estate's state does not allow it; nothing was changed. */
  refused: 3,
  /** A process or Temporal cannot be reached. */
  unreachable: 4,
  /**
   * There is no such volume, group, point, image access, move, report, verification, batch or
   * schedule.
   */
  notFound: 5,
  /** Ctrl-C: 128 + SIGINT. A watched move or batch continues. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof MoverError ? EXIT[ERRORS[error.code].exit] : EXIT.failed;
}

export const EXIT_CODE_HELP = `
Exit codes:
  0    done
  1    failed: it was tried and did not succeed
  2    usage: the command line, an input or the estate file is wrong
  3    refused: the state of the estate does not allow it; nothing was changed
  4    unreachable: a process of the estate, or Temporal, does not answer
  5    not found: no such volume, group, recovery point, image access, move, report, verification,
       batch or schedule
  130  interrupted; a move or batch that was being watched goes on`;
