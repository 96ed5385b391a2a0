// What the command's exit code says, for scripts. Documented in `volume-mover --help`.
import { type ErrorCode, MoverError } from '../../contracts/errors.js';

export const EXIT = {
  ok: 0,
  /** It was tried and did not succeed; everything is as before, or the message says what is not. */
  failed: 1,
  /** The command line, an input or the estate file is wrong. */
  usage: 2,
  /** The estate stands against it: nothing was changed. */
  refused: 3,
  /** A process or Temporal cannot be reached. */
  unreachable: 4,
  /** There is no such volume, group, point, image access, move or batch. */
  notFound: 5,
  /** Ctrl-C: 128 + SIGINT. A move or batch that was being watched goes on. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_CODE: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  INVALID_REQUEST: EXIT.usage,
  UNAUTHORIZED: EXIT.usage,
  TOO_LARGE: EXIT.usage,
  MOVE_REFUSED: EXIT.refused,
  ALREADY_THERE: EXIT.refused,
  ATTEMPT_MISMATCH: EXIT.refused,
  VOLUME_BUSY: EXIT.refused,
  SOURCE_PRESENT: EXIT.refused,
  SOURCE_DECISION_REFUSED: EXIT.refused,
  SOURCE_UNPROVEN: EXIT.refused,
  SOURCE_MISSING: EXIT.refused,
  FOREIGN_SOURCE: EXIT.refused,
  GROUP_FULL: EXIT.refused,
  GROUP_PAUSED: EXIT.refused,
  NOT_OWNER: EXIT.refused,
  VOLUME_UNUSABLE: EXIT.refused,
  SOURCE_UNREADABLE: EXIT.refused,
  IMAGE_LIMIT: EXIT.refused,
  BATCH_REQUEST_REFUSED: EXIT.refused,
  ACCESS_MISMATCH: EXIT.refused,
  UNREACHABLE: EXIT.unreachable,
  LINK_DOWN: EXIT.unreachable,
  SHUTTING_DOWN: EXIT.unreachable,
  VOLUME_NOT_FOUND: EXIT.notFound,
  GROUP_NOT_FOUND: EXIT.notFound,
  POINT_NOT_FOUND: EXIT.notFound,
  POINT_TRIMMED: EXIT.notFound,
  POINT_DAMAGED: EXIT.notFound,
  MOVE_NOT_FOUND: EXIT.notFound,
  REPORT_NOT_FOUND: EXIT.notFound,
  BATCH_NOT_FOUND: EXIT.notFound,
  SCHEDULE_NOT_FOUND: EXIT.notFound,
  ACCESS_NOT_FOUND: EXIT.notFound,
  ATTEMPT_NOT_FOUND: EXIT.notFound,
};

export function exitCodeOf(error: unknown): ExitCode {
  return (error instanceof MoverError ? BY_CODE[error.code] : undefined) ?? EXIT.failed;
}

export const EXIT_CODE_HELP = `
Exit codes:
  0    done
  1    failed: it was tried and did not succeed
  2    usage: the command line, an input or the estate file is wrong
  3    refused: the estate stands against it, nothing was changed
  4    unreachable: a process of the estate, or Temporal
  5    not found: no such volume, group, recovery point, image access, move, batch or schedule
  130  interrupted; a move or batch that was being watched goes on`;
