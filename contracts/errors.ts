// The one registry of error codes: what went wrong, whether trying again can help, and what the user can do.
import { z } from 'zod';

interface ErrorKind {
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** HTTP status of the problem+json answer. */
  readonly status: number;
  readonly title: string;
  readonly action: string;
}

const kind = (retryable: boolean, status: number, title: string, action: string): ErrorKind => ({
  retryable,
  status,
  title,
  action,
});

export const ERRORS = {
  INVALID_REQUEST: kind(
    false,
    400,
    'The request is not of the accepted form',
    'Correct the fields named in the details.',
  ),
  UNAUTHORIZED: kind(
    false,
    401,
    'The bearer token is missing or wrong',
    'Set VOLUME_MOVER_TOKEN to the token the server was started with.',
  ),
  TOO_LARGE: kind(false, 413, 'The request is larger than the limit', 'Send fewer items in one request.'),
  ROUTE_NOT_FOUND: kind(false, 404, 'There is no such operation', 'See /openapi.json for the operations.'),
  UNKNOWN_WORKFLOW: kind(
    false,
    404,
    'There is no such workflow type',
    'Use workflow type moveVolume, moveBatch or verifyVolume.',
  ),
  VOLUME_NOT_FOUND: kind(false, 404, 'There is no such volume', 'List the volumes with: volume-mover volumes'),
  VOLUME_UNUSABLE: kind(
    false,
    409,
    'The volume is known here, but its row or files cannot be used',
    'Mend what the message names at the process that answered, then start that process again; other volumes are not affected.',
  ),
  GROUP_NOT_FOUND: kind(false, 404, 'There is no such consistency group', 'List the groups with: volume-mover groups'),
  POINT_NOT_FOUND: kind(
    false,
    404,
    'There is no such recovery point',
    'List the points with: volume-mover points <group|volume>',
  ),
  ATTEMPT_NOT_FOUND: kind(
    false,
    404,
    'The replica site has no such attempt',
    'Check the move id with: volume-mover status <move-id>',
  ),
  IMAGE_NOT_FOUND: kind(false, 404, 'There is no such open image', 'Open the recovery point again.'),
  IMAGE_EVICTED: kind(
    false,
    410,
    'The replica site closed the image because open images took too much',
    'Open a later recovery point, or close images that are not needed.',
  ),
  ACCESS_NOT_FOUND: kind(false, 404, 'There is no such image access', 'List them with: volume-mover images'),
  ACCESS_MISMATCH: kind(
    false,
    409,
    'The image access is known with other contents, or has ended',
    'Give another id, or none: then one is made up.',
  ),
  MOVE_NOT_FOUND: kind(false, 404, 'There is no such move', 'Check the move id; it is printed when a move is started.'),
  REPORT_NOT_FOUND: kind(
    false,
    404,
    'There is no stored report of it',
    'Check the id; a move or batch that still runs has none yet.',
  ),
  BATCH_NOT_FOUND: kind(false, 404, 'There is no such batch', 'List the batches with: volume-mover batch list'),
  SCHEDULE_NOT_FOUND: kind(
    false,
    404,
    'There is no such schedule',
    'List the schedules with: volume-mover schedule list',
  ),
  BATCH_STOPPED: kind(
    false,
    409,
    'The batch was stopped by its failure policy',
    'Look at the failures with: volume-mover batch report <batch-id>; then: volume-mover batch retry-failed <batch-id>',
  ),
  BATCH_REQUEST_REFUSED: kind(
    false,
    409,
    'The batch cannot do that now',
    'Look at where it is with: volume-mover batch status <batch-id>',
  ),
  WINDOW_CLOSED: kind(
    false,
    409,
    'The maintenance window ended before the fence',
    'Nothing: everything is as before; the next run of the batch moves the volume.',
  ),
  MOVE_REFUSED: kind(false, 409, 'The move cannot be made', 'Mend every reason listed, then start the move again.'),
  ALREADY_THERE: kind(false, 409, 'The volume is in that group already', 'Nothing: there is nothing to move.'),
  LAG_TOO_LARGE: kind(
    false,
    409,
    'The lag did not become small in time',
    'Look at the link and the appliance, or give the move a longer options.lagWaitMs.',
  ),
  VOLUME_BUSY: kind(true, 409, 'Another move of the volume is open', 'Wait for the other move to end, or cancel it.'),
  STALE_ATTEMPT: kind(
    false,
    409,
    'A newer attempt is known; this one is over',
    'Nothing: late duplicates are refused on purpose.',
  ),
  ATTEMPT_ABORTED: kind(false, 409, 'The attempt was aborted', 'Start the move again.'),
  ATTEMPT_COMMITTED: kind(
    false,
    409,
    'The attempt is committed already',
    'Nothing: the move is done; the way back is a new move.',
  ),
  ATTEMPT_MISMATCH: kind(
    false,
    409,
    'The attempt is known with other contents',
    'Start a new move: a move id stands for one move only.',
  ),
  EPOCH_MISMATCH: kind(
    false,
    409,
    'The ownership of the volume changed meanwhile',
    'Look at the volume with volume-mover volumes, then start the move again.',
  ),
  STALE_SESSION: kind(
    false,
    409,
    'The writes are of an earlier life of the splitter',
    'Nothing: late duplicates are refused on purpose.',
  ),
  LINEAGE_FORKED: kind(
    true,
    409,
    'The replica site does not have the history that the splitter confirmed',
    'Nothing: the splitter compares the volume and sends again what differs; the span is shown as a hole.',
  ),
  FOREIGN_SOURCE: kind(
    false,
    409,
    'The source is not the disk that the replica was made from',
    'Put the right disk back and start the splitter again, or decide: volume-mover source recover <volume> (from the replica), or volume-mover source accept <volume> (this disk as it is).',
  ),
  SOURCE_UNPROVEN: kind(
    false,
    409,
    'The replica site has not said yet whether the source is the disk of the volume',
    'Start the replica site and the appliance of its group; it goes on by itself. If they stay away, and the disk is right: volume-mover source accept-blank <volume>, or volume-mover source accept <volume>.',
  ),
  SOURCE_MISSING: kind(
    false,
    409,
    'The source of the volume is gone',
    'Put the file back and start the splitter again, or decide: volume-mover source recover <volume> (from the replica), or volume-mover source accept-blank <volume> (an empty disk).',
  ),
  SOURCE_PRESENT: kind(
    false,
    409,
    'The source of the volume is there and in use',
    'Nothing: there is nothing to decide. To have the volume compared with its replica: volume-mover resync <volume>',
  ),
  SOURCE_DECISION_REFUSED: kind(
    false,
    409,
    'That decision does not fit the disk that is there',
    'Look at the disk, then decide anew: volume-mover source accept-blank|accept|recover <volume>',
  ),
  WRITE_GAP: kind(true, 409, 'A write is missing before this one', 'Nothing: the splitter sends from the gap on.'),
  CREDIT_EXCEEDED: kind(
    true,
    409,
    'More of the volume was sent than the replica site had granted',
    'Nothing: the splitter attaches the volume anew. If it comes again and again, update the splitter.',
  ),
  NOT_OWNER: kind(false, 409, 'The group is not served here', 'Send the call to the appliance that serves the group.'),
  NOT_SYNCED: kind(
    true,
    409,
    'The volume has writes that are known by marks only',
    'Wait until its short initialization has ended.',
  ),
  SOURCE_UNREADABLE: kind(
    false,
    409,
    'Parts of the volume’s source cannot be read',
    'Mend the disk of the file that is named, or let the guest write the named bytes anew; then start it again.',
  ),
  NOT_NOTIFIED: kind(
    false,
    409,
    'The splitter has no notice of this attempt',
    'Nothing: a new attempt gives a new notice.',
  ),
  NOT_FENCED: kind(
    false,
    409,
    'The splitter has no fence of this attempt',
    'Nothing: a new attempt raises a new fence.',
  ),
  FENCE_LAPSED: kind(false, 409, 'The lease of the fence ran out', 'Nothing: a new attempt is made.'),
  CUT_VOID: kind(false, 409, 'The cut is not valid', 'Nothing: a new attempt is made.'),
  PENDING_VERDICT: kind(
    true,
    409,
    'The splitter still awaits the verdict of an older attempt',
    'Nothing: it asks for the verdict by itself.',
  ),
  NOT_DRAINED: kind(true, 409, 'The writes up to the cut are not all applied yet', 'Nothing: the call is repeated.'),
  NOT_SEALED: kind(false, 409, 'The volume has no sealed snapshot of this attempt', 'Nothing: a new attempt is made.'),
  NOT_COMMITTED: kind(false, 409, 'The attempt is not committed', 'Nothing: the join follows the commit.'),
  GROUP_FULL: kind(
    false,
    409,
    'The group has no room for more volumes',
    'Move a volume out of it, or raise its limit in the estate file.',
  ),
  GROUP_PAUSED: kind(true, 409, 'Replication of the group is paused', 'Resume the group.'),
  POINT_TRIMMED: kind(
    false,
    410,
    'The journal no longer reaches back to that position',
    'Choose a later recovery point.',
  ),
  POINT_DAMAGED: kind(
    false,
    410,
    'The recovery point needs stored data that is damaged or lost',
    'Choose another recovery point: volume-mover points <volume> says which ones open.',
  ),
  POINT_UNAVAILABLE: kind(
    true,
    409,
    'The recovery point is not durable at the replica site yet',
    'Try again shortly, or choose an earlier point.',
  ),
  SCAN_NOT_FOUND: kind(
    false,
    404,
    'There is no such open scan',
    'Nothing: the verification goes on at a new common point.',
  ),
  SCAN_BUSY: kind(
    true,
    409,
    'The volume cannot be scanned now',
    'Wait for the other verification to end, or cancel it.',
  ),
  VERIFY_MISMATCH: kind(
    false,
    409,
    'The replica is not the same as its source',
    'Do not rely on these ranges of the replica. If the source is right, have it sent again: volume-mover resync <volume>; then verify again.',
  ),
  IMAGE_LIMIT: kind(true, 429, 'Too many images are open', 'Close an image first.'),
  UNREACHABLE: kind(
    true,
    503,
    'The other side cannot be reached',
    'Check that the process runs and that its address is right.',
  ),
  LINK_DOWN: kind(true, 503, 'The link to the replica site is down', 'Restore the link.'),
  CORRUPT: kind(false, 500, 'Stored data failed its checksum', 'Do not use this copy; see the details for the place.'),
  STORAGE_FULL: kind(
    true,
    507,
    'The disk that the process stores its data on is full',
    'Make room on the disk of the folder that is named; nothing was changed, and the process goes on by itself.',
  ),
  STORAGE_FAILED: kind(
    true,
    503,
    'The process could not store a change',
    'Look at the disk of the folder that is named; nothing was changed, and the call can be repeated.',
  ),
  SHUTTING_DOWN: kind(true, 503, 'The process is shutting down', 'Nothing: the call is repeated.'),
  INTERNAL: kind(true, 500, 'Something unforeseen went wrong', 'See the log of the process that answered.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

const ERROR_CODES = Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS);
export const errorCodeSchema = z.enum(ERROR_CODES);

/** One reason against a request: a field or thing, and what is wrong with it. */
export const reasonSchema = z.strictObject({
  code: errorCodeSchema,
  /** The field or thing at fault, e.g. `volume`, `to`, `vm-1-disk-0`. */
  subject: z.string(),
  message: z.string(),
});
export type Reason = z.infer<typeof reasonSchema>;

/** problem+json (RFC 9457) with the registry's code; what every control API answers on failure. */
export const problemSchema = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: errorCodeSchema,
  retryable: z.boolean(),
  action: z.string(),
  reasons: z.array(reasonSchema).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** The project's one error class. `message` is a whole sentence about this case; title and action come from the registry. */
export class MoverError extends Error {
  readonly code: ErrorCode;
  readonly reasons: readonly Reason[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly reasons?: readonly Reason[]; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MoverError';
    this.code = code;
    this.reasons = options.reasons ?? [];
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get action(): string {
    return ERRORS[this.code].action;
  }
}

export function toProblem(error: MoverError): Problem {
  const { status, title, retryable, action } = ERRORS[error.code];
  const problem: Problem = {
    type: `urn:volume-mover:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    retryable,
    action,
  };
  return error.reasons.length === 0 ? problem : { ...problem, reasons: [...error.reasons] };
}

export function fromProblem(problem: Problem): MoverError {
  return new MoverError(problem.code, problem.detail, { reasons: problem.reasons ?? [] });
}

/** zod tells a missing field as one that is undefined: true, but not how people say it. */
function wordsOf(issue: z.core.$ZodIssue): string {
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return isMissing ? `is missing; a ${issue.expected} is expected` : issue.message;
}

/**
 * What zod says of a value, one reason an issue, each naming the field and what is accepted.
 * `root` names the value itself when the fault is not in a field of it.
 */
export function reasonsOf(error: z.ZodError, root = 'input'): Reason[] {
  return error.issues.flatMap((issue): Reason[] => {
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        code: 'INVALID_REQUEST',
        subject: path === '' ? key : `${path}.${key}`,
        message: `unknown field "${key}"`,
      }));
    }
    return [{ code: 'INVALID_REQUEST', subject: path === '' ? root : path, message: wordsOf(issue) }];
  });
}

/** @throws MoverError INVALID_REQUEST naming every field at fault and what is accepted. */
export function parseOrRefuse<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const reasons = reasonsOf(result.error, what);
  const listed = reasons.map((reason) => `${reason.subject}: ${reason.message}`).join('; ');
  throw new MoverError('INVALID_REQUEST', `${what} is not accepted: ${listed}`, { reasons });
}
