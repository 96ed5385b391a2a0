// The one registry of error codes: what went wrong, who raises it, whether a retry can help, and
// what the user can do.

/**
 * Where an error is raised. `stream` is a frame between splitter and replica site. An appliance
 * passes on the site's errors.
 */
export type Raiser = 'splitter' | 'appliance' | 'replica-site' | 'stream' | 'orchestrator' | 'client';

/** The name of the command's exit code. */
export type ErrorExit = 'failed' | 'usage' | 'refused' | 'unreachable' | 'notFound';

/** How the product recovers by itself. */
export type Remedy =
  /** The cut was void or the attempt was over: the move opens a new attempt. */
  | 'new-attempt'
  /** A verification continues at a new common point. */
  | 'new-point'
  /** A comparison opens another image. */
  | 'new-image'
  /** The condition passes: a planned move waits and is not refused. */
  | 'waiting'
  /** Another appliance may answer for the replica site. */
  | 'another-appliance';

interface ErrorKind {
  /** A short title without a full stop. */
  readonly title: string;
  /** What the user can do, as a sentence. */
  readonly action: string;
  /** HTTP status of the problem+json answer. */
  readonly status: number;
  /** Whether the same call may succeed later although nobody changes anything. */
  readonly retryable: boolean;
  readonly exit: ErrorExit;
  readonly raisedBy: readonly Raiser[];
  readonly remedies?: readonly Remedy[];
  /** Set when the error ends an open image for good. */
  readonly endsImage?: true;
}

const REGISTRY = {
  INVALID_REQUEST: {
    title: 'The request is not of the accepted form',
    action: 'Correct the fields named in the details.',
    status: 400,
    retryable: false,
    exit: 'usage',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
  UNAUTHORIZED: {
    title: 'The caller is not known: its token or certificate is missing or wrong',
    action:
      'Set VOLUME_MOVER_TOKEN_FILE to a token that the server knows, and VOLUME_MOVER_TLS_CERT_FILE and VOLUME_MOVER_TLS_KEY_FILE where it asks for a certificate.',
    status: 401,
    retryable: false,
    exit: 'usage',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  FORBIDDEN: {
    title: 'The caller may not do this',
    action:
      'Use a token or certificate that has the role, or give the caller the role in the file that VOLUME_MOVER_CALLERS_FILE of the server names.',
    status: 403,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  TOO_LARGE: {
    title: 'The request is larger than the limit',
    action: 'Send fewer items in one request.',
    status: 413,
    retryable: false,
    exit: 'usage',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream'],
  },
  ROUTE_NOT_FOUND: {
    title: 'There is no such operation',
    action: 'See /openapi.json for the operations.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator'],
  },
  UNKNOWN_WORKFLOW: {
    title: 'There is no such workflow type',
    action: 'Use workflow type moveVolume, moveBatch or verifyVolume.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  VOLUME_NOT_FOUND: {
    title: 'There is no such volume',
    action: 'List the volumes with: volume-mover volumes',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['splitter', 'replica-site', 'stream', 'orchestrator', 'client'],
    endsImage: true,
  },
  VOLUME_UNUSABLE: {
    title: 'The volume is known here, but its row or files cannot be used',
    action:
      'Mend what the message names at the process that answered, then start that process again; other volumes are not affected.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'stream'],
    endsImage: true,
  },
  GROUP_NOT_FOUND: {
    title: 'There is no such consistency group',
    action: 'List the groups with: volume-mover groups',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['appliance', 'replica-site', 'orchestrator', 'client'],
  },
  POINT_NOT_FOUND: {
    title: 'There is no such recovery point',
    action: 'List the points with: volume-mover points <group|volume>',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['appliance', 'replica-site', 'client'],
    endsImage: true,
  },
  ATTEMPT_NOT_FOUND: {
    title: 'The replica site has no such attempt',
    action: 'Check the move id with: volume-mover status <move-id>',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
  },
  IMAGE_NOT_FOUND: {
    title: 'There is no such open image',
    action: 'Open the recovery point again.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-point', 'new-image'],
  },
  IMAGE_EVICTED: {
    title: 'The replica site closed the image because open images took too much',
    action: 'Open a later recovery point, or close images that are not needed.',
    status: 410,
    retryable: false,
    exit: 'failed',
    raisedBy: ['appliance', 'replica-site'],
    remedies: ['new-point', 'new-image'],
    endsImage: true,
  },
  ACCESS_NOT_FOUND: {
    title: 'There is no such image access',
    action: 'List them with: volume-mover images',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['appliance', 'client'],
  },
  ACCESS_MISMATCH: {
    title: 'The image access is known with other contents, or has ended',
    action: 'Give another id, or none: then one is made up.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['appliance'],
  },
  MOVE_NOT_FOUND: {
    title: 'There is no such move',
    action: 'Check the move id; it is printed when a move is started.',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['client'],
  },
  VERIFICATION_NOT_FOUND: {
    title: 'There is no such verification',
    action: 'Check the verification id; it is printed when a verification is started.',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['client'],
  },
  REPORT_NOT_FOUND: {
    title: 'There is no stored report of it',
    action: 'Check the id; a move or batch that still runs has none yet.',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
  },
  BATCH_NOT_FOUND: {
    title: 'There is no such batch',
    action: 'List the batches with: volume-mover batch list',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['orchestrator', 'client'],
  },
  SCHEDULE_NOT_FOUND: {
    title: 'There is no such schedule',
    action: 'List the schedules with: volume-mover schedule list',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['client'],
  },
  BATCH_STOPPED: {
    title: 'The batch was stopped by its failure policy',
    action:
      'Look at the failures with: volume-mover batch report <batch-id>; then: volume-mover batch retry-failed <batch-id>',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator', 'client'],
  },
  BATCH_REQUEST_REFUSED: {
    title: 'The batch cannot do that now',
    action: 'Look at where it is with: volume-mover batch status <batch-id>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator', 'client'],
  },
  WINDOW_CLOSED: {
    title: 'The maintenance window ended before the fence',
    action: 'Nothing: everything is as before; the next run of the batch moves the volume.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  MOVE_REFUSED: {
    title: 'The move cannot be made',
    action: 'Mend every reason listed, then start the move again.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator'],
  },
  ALREADY_THERE: {
    title: 'The volume is in that group already',
    action: 'Nothing: there is nothing to move.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator'],
  },
  LAG_TOO_LARGE: {
    title: 'The lag did not become small in time',
    action: 'Look at the link and the appliance, or give the move a longer options.lagWaitMs.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  VOLUME_BUSY: {
    title: 'Another move of the volume is open',
    action: 'Wait for the other move to end, or cancel it.',
    status: 409,
    retryable: true,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'orchestrator'],
    remedies: ['waiting'],
  },
  STALE_ATTEMPT: {
    title: 'A newer attempt is known; this one is over',
    action: 'Nothing: late duplicates are refused on purpose.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site'],
  },
  ATTEMPT_ABORTED: {
    title: 'The attempt was aborted',
    action: 'Start the move again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'orchestrator', 'client'],
    remedies: ['new-attempt'],
  },
  ATTEMPT_COMMITTED: {
    title: 'The attempt is committed already',
    action: 'Nothing: the move is done; the way back is a new move.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site'],
  },
  ATTEMPT_MISMATCH: {
    title: 'The attempt is known with other contents',
    action: 'Start a new move: a move id stands for one move only.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'client'],
  },
  EPOCH_MISMATCH: {
    title: 'The ownership of the volume changed meanwhile',
    action: 'Look at the volume with volume-mover volumes, then start the move again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'stream'],
  },
  STALE_SESSION: {
    title: 'The writes are of an earlier life of the splitter',
    action: 'Nothing: late duplicates are refused on purpose.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  LINEAGE_FORKED: {
    title: 'The replica site does not have the history that the splitter confirmed',
    action: 'Nothing: the splitter compares the volume and sends again what differs; the span is shown as a hole.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  FOREIGN_SOURCE: {
    title: 'The source is not the disk that the replica was made from',
    action:
      'Put the right disk back and start the splitter again, or decide: volume-mover source recover <volume> (from the replica), or volume-mover source accept <volume> (this disk as it is).',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'stream'],
  },
  SOURCE_UNPROVEN: {
    title: 'The replica site has not said yet whether the source is the disk of the volume',
    action:
      'Start the replica site and the appliance of its group; it goes on by itself. If they stay away, and the disk is right: volume-mover source accept-blank <volume>, or volume-mover source accept <volume>.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_MISSING: {
    title: 'The source of the volume is gone',
    action:
      'Put the file back and start the splitter again, or decide: volume-mover source recover <volume> (from the replica), or volume-mover source accept-blank <volume> (an empty disk).',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_PRESENT: {
    title: 'The source of the volume is there and in use',
    action:
      'Nothing: there is nothing to decide. To have the volume compared with its replica: volume-mover resync <volume>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_DECISION_REFUSED: {
    title: 'That decision does not fit the disk that is there',
    action: 'Look at the disk, then decide anew: volume-mover source accept-blank|accept|recover <volume>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  WRITE_GAP: {
    title: 'A write is missing before this one',
    action: 'Nothing: the splitter sends from the gap on.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  CREDIT_EXCEEDED: {
    title: 'More of the volume was sent than the replica site had granted',
    action: 'Nothing: the splitter attaches the volume anew. If it comes again and again, update the splitter.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  NOT_OWNER: {
    title: 'The group is not served here',
    action: 'Send the call to the appliance that serves the group.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['appliance', 'replica-site', 'stream', 'orchestrator'],
  },
  NOT_SYNCED: {
    title: 'The volume has writes that are known by marks only',
    action: 'Wait until its short initialization has ended.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site'],
    remedies: ['new-attempt'],
  },
  SOURCE_UNREADABLE: {
    title: 'Parts of the volume’s source cannot be read',
    action:
      'Mend the disk of the file that is named, or let the guest write the named bytes anew; then start it again.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  NOT_NOTIFIED: {
    title: 'The splitter has no notice of this attempt',
    action: 'Nothing: a new attempt gives a new notice.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  NOT_FENCED: {
    title: 'The splitter has no fence of this attempt',
    action: 'Nothing: a new attempt raises a new fence.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  FENCE_LAPSED: {
    title: 'The lease of the fence ran out',
    action: 'Nothing: a new attempt is made.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  CUT_VOID: {
    title: 'The cut is not valid',
    action: 'Nothing: a new attempt is made.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'orchestrator'],
    remedies: ['new-attempt'],
  },
  PENDING_VERDICT: {
    title: 'The splitter still awaits the verdict of an older attempt',
    action: 'Nothing: it asks for the verdict by itself.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'stream', 'orchestrator'],
    remedies: ['waiting'],
  },
  NOT_DRAINED: {
    title: 'The writes up to the cut are not all applied yet',
    action: 'Nothing: the call is repeated.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-attempt'],
  },
  NOT_SEALED: {
    title: 'The volume has no sealed snapshot of this attempt',
    action: 'Nothing: a new attempt is made.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-attempt'],
  },
  NOT_COMMITTED: {
    title: 'The attempt is not committed',
    action: 'Nothing: the join follows the commit.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['appliance', 'replica-site'],
  },
  GROUP_FULL: {
    title: 'The group has no room for more volumes',
    action: 'Move a volume out of it, or raise its limit in the estate file.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site', 'orchestrator'],
  },
  GROUP_PAUSED: {
    title: 'Replication of the group is paused',
    action: 'Resume the group.',
    status: 409,
    retryable: true,
    exit: 'refused',
    raisedBy: ['appliance', 'orchestrator'],
  },
  POINT_TRIMMED: {
    title: 'The journal no longer reaches back to that position',
    action: 'Choose a later recovery point.',
    status: 410,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
    remedies: ['new-point'],
    endsImage: true,
  },
  POINT_DAMAGED: {
    title: 'The recovery point needs stored data that is damaged or lost',
    action: 'Choose another recovery point: volume-mover points <volume> says which ones open.',
    status: 410,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
    endsImage: true,
  },
  POINT_UNAVAILABLE: {
    title: 'The recovery point is not durable at the replica site yet',
    action: 'Try again shortly, or choose an earlier point.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'orchestrator'],
    remedies: ['new-point'],
  },
  SCAN_NOT_FOUND: {
    title: 'There is no such open scan',
    action: 'Nothing: the verification goes on at a new common point.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'orchestrator'],
    remedies: ['new-point'],
  },
  SCAN_BUSY: {
    title: 'The volume cannot be scanned now',
    action: 'Wait for the other verification to end, or cancel it.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter'],
  },
  VERIFY_MISMATCH: {
    title: 'The replica is not the same as its source',
    action:
      'Do not rely on these ranges of the replica. If the source is right, have it sent again: volume-mover resync <volume>; then verify again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  IMAGE_LIMIT: {
    title: 'Too many images are open',
    action: 'Close an image first.',
    status: 429,
    retryable: true,
    exit: 'refused',
    raisedBy: ['appliance', 'replica-site'],
  },
  UNREACHABLE: {
    title: 'The other side cannot be reached',
    action: 'Check that the process runs and that its address is right.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['splitter', 'appliance', 'stream', 'orchestrator', 'client'],
    remedies: ['waiting', 'another-appliance'],
  },
  LINK_DOWN: {
    title: 'The link to the replica site is down',
    action: 'Restore the link.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['appliance'],
    remedies: ['waiting', 'another-appliance'],
  },
  CORRUPT: {
    title: 'Stored data failed its checksum',
    action: 'Do not use this copy; see the details for the place.',
    status: 500,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'stream', 'orchestrator'],
    endsImage: true,
  },
  STORAGE_FULL: {
    title: 'The disk that the process stores its data on is full',
    action:
      'Make room on the disk of the folder that is named; nothing was changed, and the process goes on by itself.',
    status: 507,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  STORAGE_FAILED: {
    title: 'The process could not store a change',
    action: 'Look at the disk of the folder that is named; nothing was changed, and the call can be repeated.',
    status: 503,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  SHUTTING_DOWN: {
    title: 'The process is shutting down',
    action: 'Nothing: the call is repeated.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
    remedies: ['waiting', 'another-appliance'],
  },
  INTERNAL: {
    title: 'Something unforeseen went wrong',
    action: 'See the log of the process that answered.',
    status: 500,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof REGISTRY;
export const ERRORS: Readonly<Record<ErrorCode, ErrorKind>> = REGISTRY;

/** Whether the product recovers from the error in that way. */
export function hasRemedy(code: ErrorCode, remedy: Remedy): boolean {
  return ERRORS[code].remedies?.includes(remedy) === true;
}
