// Findings about an attempt whose move no longer runs: one for each thing that it holds. Pure.
import type { HeldAttempt, SplitterHold } from '../../activities/settle.js';
import { attemptName, type AttemptRecord } from '../../contracts/attempt.js';
import { bytes, counted, duration } from '../text/format.js';
import type { Finding } from './doctor-client.js';
import type { Owner } from './owner.js';

export type DeadOwner = Exclude<Owner, { state: 'running' }>;

/** Whether only time may end it: an unknown owner may still work under another Temporal server. */
export function isProtected({ leaseMs = 0 }: HeldAttempt, owner: DeadOwner): boolean {
  return owner.state === 'unknown' && leaseMs > 0;
}

/** All that a dead move's attempt holds. */
export function residueOf(held: HeldAttempt, owner: DeadOwner): Finding[] {
  const { attempt, record, holds } = held;
  const isOpen = record?.state === 'OPEN';
  const common = {
    heldBy: attempt.move,
    owner: owner.state === 'closed' ? owner.how : owner.state,
    ...(record?.contents === undefined ? {} : { sinceMs: record.contents.openedAtMs }),
    isFixable: !isProtected(held, owner),
    isResidue: true,
  } as const;
  const wait = isProtected(held, owner) ? waitText(held) : undefined;
  return [
    ...(isOpen ? heldAtSite(held, record).map((found) => ({ ...common, ...found, action: wait ?? ABORT })) : []),
    ...holds.map((hold) => ({ ...common, ...heldAtSplitter(hold), action: wait ?? lessonText(hold, record) })),
  ];
}

const ABORT = 'It is aborted at the replica site, and everything stays as it was.';

function waitText({ leaseMs = 0 }: HeldAttempt): string {
  return `This Temporal server does not know the move, and its lease still runs. Look again in ${duration(leaseMs)}.`;
}

type Held = Pick<Finding, 'kind' | 'subject' | 'what' | 'blocks'>;

/** What an open attempt keeps at the replica site: its volumes, its room, its snapshot. */
function heldAtSite({ attempt, leaseMs = 0 }: HeldAttempt, { contents, left }: AttemptRecord): Held[] {
  if (contents === undefined) return [];
  const { volumes, from, to } = contents;
  const names = volumes.map(({ volume }) => volume).join(', ');
  const until = leaseMs > 0 ? `for ${duration(leaseMs)} more` : undefined;
  return [
    {
      kind: 'open attempt',
      subject: attemptName(attempt),
      what: `open attempt ${attempt.n}: ${names}, ${from} → ${to}`,
      blocks: until === undefined ? 'Nothing: its lease has run out.' : `Other moves of the volumes, ${until}.`,
    },
    ...(until === undefined
      ? []
      : [
          {
            kind: 'reservation' as const,
            subject: to,
            what: `room for ${counted(volumes.length, 'volume')} in ${to}`,
            blocks: `Moves into ${to} when it is nearly full, ${until}.`,
          },
        ]),
    ...(left === undefined
      ? []
      : [
          {
            kind: 'pin' as const,
            subject: left.point,
            what: `pinned snapshot ${left.point} of ${from}`,
            blocks: `Retention of ${from}: the snapshot's history is kept.`,
          },
        ]),
  ];
}

function heldAtSplitter({ kind, splitter, volume, backlogBytes }: SplitterHold): Held {
  return {
    kind,
    subject: volume,
    what: `${kind} of ${volume} at ${splitter}`,
    blocks:
      kind === 'notice'
        ? 'Nothing: writes go where they went.'
        : `Replication of ${volume}: ${bytes(backlogBytes)} wait behind the fence.`,
  };
}

function lessonText({ splitter, to }: SplitterHold, record: AttemptRecord | undefined): string {
  if (record?.state === 'COMMITTED')
    return `Splitter ${splitter} is told that group ${record.contents?.to ?? to?.group ?? '?'} owns the volume.`;
  return `Splitter ${splitter} is told the verdict and lets go of it.`;
}
