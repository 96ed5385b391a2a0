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
    title: 'The request is not valid',
    action: 'Correct the fields that the message names, then send the request again.',
    status: 400,
    retryable: false,
    exit: 'usage',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
  UNAUTHORIZED: {
    title: 'The caller is not known: its token or certificate is missing or wrong',
    action:
      'Nothing was changed. Set VOLUME_MOVER_TOKEN_FILE to a file with a token that the server knows, and VOLUME_MOVER_TLS_CERT_FILE and VOLUME_MOVER_TLS_KEY_FILE where it asks for a certificate, then repeat the command.',
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
    raisedBy: ['splitter', 'appliance', 'replica-site', 'client'],
  },
  TOO_LARGE: {
    title: 'The request is too large',
    action: 'Nothing was changed. Send fewer items in one request.',
    status: 413,
    retryable: false,
    exit: 'usage',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'client'],
  },
  ROUTE_NOT_FOUND: {
    title: 'The control API has no such operation',
    action:
      'Nothing was changed. Compare the request with the list of operations at /openapi.json of the same address.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
  UNKNOWN_WORKFLOW: {
    title: 'There is no such workflow type',
    action: 'Nothing was changed. Start the workflow again with type moveVolume, moveBatch or verifyVolume.',
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
    title: 'The stored state or the files of the volume cannot be used',
    action:
      'This volume is stopped; other volumes go on. Repair what the message names, then restart the process that answered.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'stream'],
    endsImage: true,
  },
  VOLUME_RETIRED: {
    title: 'The volume is retired',
    action:
      'Nothing was changed. Its recovery points are kept as long as they were promised: volume-mover points <volume>. To protect a disk, add it under another name: volume-mover volume add',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
  NAME_TAKEN: {
    title: 'The name belongs to another volume or group',
    action: 'Nothing was changed. Choose another name: no two volumes or groups may have one, in capitals or not.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site'],
  },
  VOLUME_IN_USE: {
    title: 'Guests have the volume open',
    action: 'Nothing was changed. Stop the guest, or detach the disk from it; then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  GROUP_IN_USE: {
    title: 'The group owns volumes',
    action: 'Nothing was changed. Move its volumes to another group, or retire them; then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site'],
  },
  VOLUME_NOT_RETIRED: {
    title: 'The volume is not retired',
    action:
      'Nothing was changed. Only the rest of a retired volume can be forgotten: volume-mover volume retire <volume>, then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site'],
  },
  HISTORY_IN_USE: {
    title: 'Recovery points of the volume are promised or open',
    action:
      'Nothing was changed. Close the images that are named. A bookmark is given up by a shorter promise: volume-mover bookmark --point <point> --keep policy. Then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site'],
  },
  SHRINKING: {
    title: 'A volume cannot be made smaller',
    action: 'Nothing was changed. Give a size that is at least the one it has, or correct sizeMiB in the estate file.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site'],
  },
  GROUP_RETIRED: {
    title: 'The group is retired',
    action: 'Nothing was changed. Bring it back with volume-mover group add, or name another group.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site', 'orchestrator'],
  },
  PROCESS_IN_USE: {
    title: 'Something is served by the appliance or splitter',
    action:
      'Nothing was changed. See what it serves with volume-mover appliance drain or volume-mover splitter drain; when that is gone, repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site', 'client'],
  },
  PROCESS_RETIRED: {
    title: 'The appliance or splitter is retired',
    action:
      'Nothing was changed. Bring it back with volume-mover appliance add or volume-mover splitter add, or name another.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site'],
  },
  CHANGE_REFUSED: {
    title: 'The change of the estate cannot be made',
    action: 'Nothing was changed. Remove every reason listed, then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'client'],
  },
  CHANGE_UNFINISHED: {
    title: 'The change is half done',
    action: 'Remove what the message names, then repeat the command: it goes on where it ended.',
    status: 500,
    retryable: true,
    exit: 'failed',
    raisedBy: ['client'],
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
    action: 'List the recovery points with: volume-mover points <group|volume>',
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
    action: 'No stored data is affected. Open the recovery point again: volume-mover open <group|volume>',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-point', 'new-image'],
  },
  IMAGE_EVICTED: {
    title: 'The replica site closed the image: open images used too much memory or disk',
    action:
      'No recovery point is affected. Close images that nobody needs (volume-mover images lists them), then open a recovery point again.',
    status: 410,
    retryable: false,
    exit: 'failed',
    raisedBy: ['appliance', 'replica-site'],
    remedies: ['new-point', 'new-image'],
    endsImage: true,
  },
  ACCESS_NOT_FOUND: {
    title: 'There is no such image access',
    action: 'List the image accesses with: volume-mover images',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['appliance', 'client'],
  },
  ACCESS_MISMATCH: {
    title: 'The id of the image access is taken',
    action: 'Give another id, or no id: then the appliance chooses one.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['appliance'],
  },
  MOVE_NOT_FOUND: {
    title: 'There is no such move',
    action: 'List the moves with: volume-mover moves',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['client'],
  },
  VERIFICATION_NOT_FOUND: {
    title: 'There is no such verification',
    action: 'List the verifications with: volume-mover verification list',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['client'],
  },
  REPORT_NOT_FOUND: {
    title: 'There is no stored report',
    action: 'Check the id. A move or batch stores its report when it ends.',
    status: 404,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site', 'client'],
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
    title: 'The failure policy stopped the batch',
    action:
      'Moves that ended stay as they are. To see the failures: volume-mover batch report <batch-id>. To try them again: volume-mover batch retry-failed <batch-id> --reason <why>',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator', 'client'],
  },
  BATCH_REQUEST_REFUSED: {
    title: 'The batch cannot do that now',
    action: 'The batch is unchanged. To see its state: volume-mover batch status <batch-id>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator', 'client'],
  },
  MOVE_REQUEST_REFUSED: {
    title: 'The move cannot do that now',
    action: 'The move goes on as it was. To see its state: volume-mover status <move-id>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator', 'client'],
  },
  MOVE_ABORTED: {
    title: 'A person aborted the move',
    action: 'To move the volumes, start the move again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  WINDOW_CLOSED: {
    title: 'The maintenance window ended before the move raised its fence',
    action:
      'The volumes stay where they were. The next run of the batch moves them; a move of its own must be started again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  MOVE_REFUSED: {
    title: 'The move cannot be made',
    action: 'Remove every reason listed, then start the move again.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator'],
  },
  ALREADY_THERE: {
    title: 'The volume is in that group already',
    action: 'Nothing to do.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator'],
  },
  LAG_TOO_LARGE: {
    title: 'The replica site did not catch up in time',
    action:
      'Check the link and the disks of the replica site, then start the move again; options.lagWaitMs of the move allows a longer wait.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  HOOK_VETO: {
    title: 'A hook before the fence failed or refused',
    action:
      'Nothing was changed, and everything that hooks froze is thawed. Correct what the hook says, or its entry in the file that VOLUME_MOVER_HOOKS of the worker names; then start the move again.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['orchestrator'],
  },
  BOOKMARK_LOCKED: {
    title: 'The bookmark is locked',
    action:
      'Nothing was changed. Until the lock ends nobody can delete the point, rename it or shorten how long it is kept; that can be lengthened.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site'],
  },
  STILL_REVERSIBLE: {
    title: 'The move that brought the volume here can still be reversed',
    action:
      'Nothing was changed. Reverse that move, wait until its way back has ended, or end it now: volume-mover finalize <move-id> --reason <why>; then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site', 'orchestrator'],
  },
  NOT_REVERSIBLE: {
    title: 'The move has no way back that is kept',
    action:
      'Nothing to end: only a move that was started with --reversible, and is committed, has one. To move its volumes back: volume-mover reverse <move-id>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site'],
  },
  VOLUME_BUSY: {
    title: 'Another operation on the volume is under way',
    action:
      'Wait until it has ended: a move does so with --queue. A move can also be cancelled: volume-mover cancel <move-id>',
    status: 409,
    retryable: true,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'orchestrator', 'client'],
    remedies: ['waiting'],
  },
  STALE_ATTEMPT: {
    title: 'The attempt is over, or a newer one has replaced it',
    action:
      'Nothing to do: a late repetition of an old call is refused on purpose. If a move ended with this, see where its volumes are with: volume-mover volumes',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  ATTEMPT_ABORTED: {
    title: 'The attempt was aborted',
    action: 'To move the volumes, start the move again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'orchestrator', 'client'],
    remedies: ['new-attempt'],
  },
  ATTEMPT_COMMITTED: {
    title: 'The attempt is committed already',
    action: 'Nothing to do: the move is done. To go back, start a new move to the old group.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site'],
  },
  ATTEMPT_MISMATCH: {
    title: 'The id is in use for something else',
    action: 'Start again under a new id: an id names one move, batch or verification only.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'replica-site', 'client'],
  },
  EPOCH_MISMATCH: {
    title: 'The volume has changed its group since',
    action: 'Look at the volume with volume-mover volumes, then start the move again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'stream'],
  },
  STALE_SESSION: {
    title: 'The writes are from before a restart of the splitter',
    action: 'Nothing to do: late repetitions are refused on purpose, and the splitter sends what is missing.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  LINEAGE_FORKED: {
    title: 'The replica site has another history of the volume than the splitter confirmed',
    action:
      'Nothing to do: the splitter compares the volume and sends what differs. Recovery points have a hole for that time; volume-mover points <volume> shows it.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  FOREIGN_SOURCE: {
    title: 'The source is another disk than the one that the replica was made from',
    action:
      'The volume is stopped, and its recovery points are kept. Put the right disk back and restart the splitter; or decide: volume-mover source recover <volume> (make the disk from the replica), or volume-mover source accept <volume> (use this disk as it is).',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter', 'stream'],
  },
  SOURCE_UNPROVEN: {
    title: 'Nobody has confirmed yet that the source is the right disk',
    action:
      'The volume waits, and its recovery points are kept. Start the replica site and the appliance of its group: the volume then goes on by itself. Without them, and only if the disk is right: volume-mover source accept <volume>, or volume-mover source accept-blank <volume> for an empty disk.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_MISSING: {
    title: 'The source of the volume is missing',
    action:
      'The volume is stopped, and its recovery points are kept. Put the file back and restart the splitter; or decide: volume-mover source recover <volume> (make the disk from the replica), volume-mover source accept <volume> (a copy that you put in its place), or volume-mover source accept-blank <volume> (begin with an empty disk).',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_PRESENT: {
    title: 'The source of the volume is there and in use',
    action:
      'Nothing was changed: there is nothing to decide. To compare the volume with its replica: volume-mover resync <volume>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  SOURCE_DECISION_REFUSED: {
    title: 'That decision does not fit the disk that is there',
    action: 'Look at the disk, then decide again: volume-mover source accept-blank|accept|recover <volume>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  WRITE_GAP: {
    title: 'A write is missing before this one',
    action: 'Nothing to do: the splitter sends the missing writes again.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  CREDIT_EXCEEDED: {
    title: 'The splitter sent more of the volume than the replica site had granted',
    action:
      'Nothing to do: the splitter attaches the volume again, and no write is lost. If it happens again and again, update the splitter.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['stream'],
  },
  NOT_OWNER: {
    title: 'The volume or group belongs elsewhere',
    action:
      'Nothing was changed. Find the group of the volume with volume-mover volumes, and the appliance of the group with volume-mover groups.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['appliance', 'replica-site', 'stream', 'orchestrator', 'client'],
  },
  NOT_SYNCED: {
    title: 'Short initialization of the volume is under way',
    action: 'Wait until the mode of the volume is SYNCED: volume-mover volumes',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site'],
    remedies: ['new-attempt'],
  },
  SOURCE_UNREADABLE: {
    title: 'Parts of the volume’s source cannot be read',
    action:
      'Nothing was changed. Repair the disk of the file that is named, or let the guest write the named bytes again; then repeat the command.',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['splitter'],
  },
  NOT_NOTIFIED: {
    title: 'The splitter has no notice of this attempt',
    action: 'Nothing to do: the move goes on with a new attempt.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  NOT_FENCED: {
    title: 'The splitter has no fence of this attempt',
    action: 'Nothing to do: the move goes on with a new attempt.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  FENCE_LAPSED: {
    title: 'The lease of the fence ran out',
    action: 'Nothing to do: the move goes on with a new attempt.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter'],
    remedies: ['new-attempt'],
  },
  CUT_VOID: {
    title: 'The cut is not valid',
    action: 'Nothing to do: it is made again.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site', 'orchestrator'],
    remedies: ['new-attempt'],
  },
  PENDING_VERDICT: {
    title: 'The splitter waits for the verdict on an earlier attempt',
    action: 'Nothing to do: the splitter asks for the verdict by itself.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'stream', 'orchestrator'],
    remedies: ['waiting'],
  },
  NOT_DRAINED: {
    title: 'Writes up to the cut are still being applied',
    action: 'Nothing to do: the call is repeated.',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-attempt'],
  },
  NOT_SEALED: {
    title: 'The volume has no sealed snapshot of this attempt',
    action: 'Nothing to do: the move goes on with a new attempt.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['replica-site'],
    remedies: ['new-attempt'],
  },
  NOT_COMMITTED: {
    title: 'The attempt is not committed',
    action: 'Nothing to do: the join follows the commit.',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['appliance', 'replica-site'],
  },
  GROUP_FULL: {
    title: 'The group has no room for more volumes',
    action: 'Move a volume out of the group, or raise its limit: volume-mover group set <group> --volumes-max <count>',
    status: 409,
    retryable: false,
    exit: 'refused',
    raisedBy: ['replica-site', 'orchestrator'],
  },
  GROUP_PAUSED: {
    title: 'Replication of the group is paused',
    action: 'Resume the group at its appliance: POST /v1/groups/resume with {"group": "<group>"}',
    status: 409,
    retryable: true,
    exit: 'refused',
    raisedBy: ['appliance', 'orchestrator'],
  },
  POINT_TRIMMED: {
    title: 'The journal no longer reaches back to that position',
    action: 'Choose a later recovery point: volume-mover points <group|volume>',
    status: 410,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
    remedies: ['new-point'],
    endsImage: true,
  },
  POINT_DAMAGED: {
    title: 'The recovery point needs stored data that is damaged or lost',
    action: 'Choose another recovery point: volume-mover points <volume> shows which ones open.',
    status: 410,
    retryable: false,
    exit: 'notFound',
    raisedBy: ['replica-site'],
    endsImage: true,
  },
  POINT_UNAVAILABLE: {
    title: 'The recovery point is not durable at the replica site yet',
    action: 'Try again in a few seconds, or choose an earlier point: volume-mover points <group|volume>',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'orchestrator'],
    remedies: ['new-point'],
  },
  SCAN_NOT_FOUND: {
    title: 'There is no such open scan',
    action: 'Nothing to do: the verification goes on at a new common point.',
    status: 404,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'orchestrator'],
    remedies: ['new-point'],
  },
  SCAN_BUSY: {
    title: 'Another scan of the volume is under way',
    action:
      'Wait until the other verification has ended, or cancel it: volume-mover verification list, then volume-mover verification cancel <verification-id>',
    status: 409,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter'],
  },
  VERIFY_MISMATCH: {
    title: 'The replica differs from its source',
    action:
      'Recovery from these ranges may give wrong data. If the source is right, send it again: volume-mover resync <volume>; then verify again: volume-mover verify <volume>',
    status: 409,
    retryable: false,
    exit: 'failed',
    raisedBy: ['orchestrator'],
  },
  IMAGE_LIMIT: {
    title: 'Too many images are open',
    action: 'Close an image first: volume-mover images, then volume-mover close <access>',
    status: 429,
    retryable: true,
    exit: 'refused',
    raisedBy: ['appliance', 'replica-site'],
  },
  UNREACHABLE: {
    title: 'The other side cannot be reached',
    action: 'Check that the process runs and that its address is right, then try again.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['splitter', 'appliance', 'stream', 'orchestrator', 'client'],
    remedies: ['waiting', 'another-appliance'],
  },
  LINK_DOWN: {
    title: 'The link to the replica site is down',
    action:
      'Guests go on, and splitters remember what they write. Restore the link; replication then goes on by itself.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['appliance'],
    remedies: ['waiting', 'another-appliance'],
  },
  CORRUPT: {
    title: 'Stored data failed its checksum',
    action:
      'Do not use this copy: the message names the place. Choose another recovery point (volume-mover points <group|volume>), or have the journal of the volume repaired: volume-mover rebuild <volume>',
    status: 500,
    retryable: false,
    exit: 'failed',
    raisedBy: ['splitter', 'replica-site', 'stream', 'orchestrator'],
    endsImage: true,
  },
  STORAGE_FULL: {
    title: 'The disk of the process is full',
    action:
      'Nothing was changed. Make room on the disk of the folder that the message names; the process then goes on by itself.',
    status: 507,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  STORAGE_FAILED: {
    title: 'The process could not store a change',
    action: 'Nothing was changed. Check the disk of the folder that the message names, then repeat the command.',
    status: 503,
    retryable: true,
    exit: 'failed',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
  },
  SHUTTING_DOWN: {
    title: 'The process is shutting down',
    action: 'Nothing to do: the call is repeated. If it goes on, start the process again.',
    status: 503,
    retryable: true,
    exit: 'unreachable',
    raisedBy: ['splitter', 'appliance', 'replica-site'],
    remedies: ['waiting', 'another-appliance'],
  },
  INTERNAL: {
    title: 'Something unforeseen went wrong',
    action: 'Look for the error in the log of the process that answered.',
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
