// Attempts whose move may be gone: what they hold, and how they come to their end without it. The
// replica site's verdict decides; nothing here guesses one.
import {
  attemptName,
  type AttemptRecord,
  type AttemptRef,
  type AttemptVolume,
  type Endpoint,
  isSameAttempt,
  type TicketedAttempt,
  type Verdict,
} from '../contracts/attempt.js';
import { isSilence, MoverError } from '../contracts/errors.js';
import type { SplitterId, VolumeId } from '../contracts/ids.js';
import type { SplitterVolume } from '../contracts/splitter-api.js';
import { anyAppliance, type Ports, splitterOf } from '../control/ports.js';
import { endpointOf, findGroup } from '../control/site-lookup.js';
import { findAttempt } from './attempt-context.js';
import { askVerdict } from './compensation.js';

/** What a splitter has of an attempt for one volume. */
export interface SplitterHold {
  readonly kind: 'notice' | 'fence';
  readonly splitter: SplitterId;
  readonly volume: VolumeId;
  readonly attempt: TicketedAttempt;
  /** The epoch at which the splitter sends the volume. */
  readonly epoch: number;
  /** Where the volume was to go; the notice knows. */
  readonly to: Endpoint | undefined;
  /** Bytes that wait behind the fence. */
  readonly backlogBytes: number;
}

/** An attempt that holds something, and all that it holds. */
export interface HeldAttempt {
  readonly attempt: AttemptRef;
  /** Absent when the replica site does not know the attempt. */
  readonly record?: AttemptRecord;
  /** How long its lease still runs, ms; absent unless the attempt is open. */
  readonly leaseMs?: number;
  readonly holds: readonly SplitterHold[];
}

/** All attempts that hold something. */
export interface FoundAttempts {
  readonly attempts: readonly HeldAttempt[];
  /** Open attempts whose records the replica site can't read. */
  readonly unreadable: readonly string[];
  /** Splitters that did not answer. What they hold is not known. */
  readonly silent: readonly SplitterId[];
}

/**
 * Finds the attempts that are open, and those that splitters have a notice or a fence of.
 * @throws MoverError UNREACHABLE when no appliance answers
 */
export async function findHeldAttempts(ports: Ports): Promise<FoundAttempts> {
  const [open, asked] = await Promise.all([openAttempts(ports), askSplitters(ports)]);
  const found = new Map<string, HeldAttempt>();
  for (const { record, leaseMs } of open.attempts)
    found.set(attemptName(record.attempt), { attempt: record.attempt, record, leaseMs, holds: [] });
  for (const hold of asked.holds) {
    const { move, n } = hold.attempt;
    const name = attemptName(hold.attempt);
    const known = found.get(name) ?? (await decided(ports, { move, n }));
    found.set(name, { ...known, holds: [...known.holds, hold] });
  }
  return { attempts: [...found.values()], unreadable: open.unreadable, silent: asked.silent };
}

type OpenAttempts = Pick<FoundAttempts, 'unreadable'> & {
  readonly attempts: readonly { readonly record: AttemptRecord; readonly leaseMs: number }[];
};

async function openAttempts(ports: Ports): Promise<OpenAttempts> {
  const attempts: OpenAttempts['attempts'][number][] = [];
  const unreadable: string[] = [];
  let cursor: string | undefined;
  do {
    const page = cursor === undefined ? {} : { cursor };
    const answer = await anyAppliance(ports, ({ calls }) => calls.openAttempts(page));
    attempts.push(...answer.attempts);
    unreadable.push(...answer.unreadable);
    cursor = answer.next;
  } while (cursor !== undefined);
  return { attempts, unreadable };
}

async function decided(ports: Ports, attempt: AttemptRef): Promise<HeldAttempt> {
  const record = await findAttempt(ports, attempt);
  return { attempt, ...(record === undefined ? {} : { record }), holds: [] };
}

async function askSplitters(ports: Ports): Promise<{ holds: SplitterHold[]; silent: SplitterId[] }> {
  const silent: SplitterId[] = [];
  const asked = [...ports.splitters.values()].map(async ({ id, calls }) => {
    try {
      return (await calls.inventory({})).volumes.flatMap(holdsOf);
    } catch (error) {
      if (!isSilence(error)) throw error;
      silent.push(id);
      return [];
    }
  });
  return { holds: (await Promise.all(asked)).flat(), silent };
}

/** A fence stands for its own notice. */
function holdsOf({ volume, splitter, route, notice, fence, backlogBytes }: SplitterVolume): SplitterHold[] {
  const { epoch } = route;
  const common = { splitter, volume, epoch };
  const toOf = (attempt: TicketedAttempt): Endpoint | undefined =>
    isSameAttempt(notice?.attempt, attempt) ? notice?.to : undefined;
  const fenced: SplitterHold[] =
    fence === undefined
      ? []
      : [{ ...common, kind: 'fence', attempt: fence.attempt, to: toOf(fence.attempt), backlogBytes }];
  return notice === undefined || isSameAttempt(fence?.attempt, notice.attempt)
    ? fenced
    : [...fenced, { ...common, kind: 'notice', attempt: notice.attempt, to: notice.to, backlogBytes: 0 }];
}

export interface SettleOptions {
  /** Why, as a sentence; the record keeps it when the attempt is aborted. */
  readonly reason: string;
  /** Leaves an attempt open while its lease runs: somebody may still work on it. */
  readonly onlyIfExpired: boolean;
}

/** How an attempt came to its end. */
export interface Settled {
  /** `FORGOTTEN`: it is over, and the replica site no longer knows how it ended. */
  readonly state: AttemptRecord['state'] | 'FORGOTTEN';
  readonly record?: AttemptRecord;
  /** Splitters that know the verdict now. */
  readonly taught: readonly SplitterId[];
  /** What remains and why, as sentences. */
  readonly left: readonly string[];
}

/**
 * Brings an attempt to its end: asks the replica site for the verdict, which aborts an open
 * attempt, and makes every splitter obey it. A committed attempt is completed, never undone. Safe
 * to repeat, and safe beside the attempt's own move: that gets the same verdict.
 * @throws MoverError UNREACHABLE when no appliance answers
 */
export async function settleAttempt(ports: Ports, held: HeldAttempt, options: SettleOptions): Promise<Settled> {
  const { attempt } = held;
  const ticket = ticketOf(held);
  let record: AttemptRecord;
  try {
    record = await askVerdict(ports, { attempt, ...options, ...(ticket === undefined ? {} : { ticket }) });
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'STALE_ATTEMPT') throw error;
    return { state: 'FORGOTTEN', taught: [], left: held.holds.map(forgottenText) };
  }
  if (record.state === 'OPEN') return { state: 'OPEN', record, taught: [], left: [] };
  return { state: record.state, record, ...(await teachAll(ports, held, record, record.state)) };
}

/** The ticket of an attempt that the replica site may have lost, as a splitter knows it. */
function ticketOf({ record, holds }: HeldAttempt): number | undefined {
  return record?.contents?.ticket ?? holds[0]?.attempt.ticket;
}

function forgottenText({ splitter, volume, kind }: SplitterHold): string {
  return `The replica site has forgotten the attempt, so splitter "${splitter}" lifts its ${kind} of volume "${volume}" by itself.`;
}

/** What one splitter must be told. */
interface Lesson {
  readonly splitter: SplitterId;
  readonly attempt: TicketedAttempt;
  readonly volumes: readonly AttemptVolume[];
  readonly to: Endpoint | undefined;
}

async function teachAll(
  ports: Ports,
  held: HeldAttempt,
  record: AttemptRecord,
  verdict: Verdict,
): Promise<Pick<Settled, 'taught' | 'left'>> {
  const taught: SplitterId[] = [];
  const left: string[] = [];
  const teach = async ({ splitter, attempt, volumes, to }: Lesson): Promise<void> => {
    try {
      if (to === undefined) throw new MoverError('GROUP_NOT_FOUND', 'The estate does not name the target group.');
      await splitterOf(ports, splitter).calls.learn({ attempt, verdict, volumes: [...volumes], to });
      taught.push(splitter);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      // One that knows newer attempts is past this one.
      if (error.code === 'STALE_ATTEMPT') taught.push(splitter);
      else left.push(untaughtText(splitter, volumes, verdict, error));
    }
  };
  const { lessons, others } = await lessonsOf(ports, held, record);
  await Promise.all(lessons.map(teach));
  left.push(...others.map(otherText));
  return { taught: [...new Set(taught)].toSorted(), left };
}

/**
 * What the record says, to every splitter of the record: one that never heard of the attempt
 * refuses a late call of it from then on. Without contents, what each splitter itself knows.
 */
async function lessonsOf(
  ports: Ports,
  { attempt, holds }: HeldAttempt,
  { contents }: AttemptRecord,
): Promise<{ readonly lessons: Lesson[]; readonly others: SplitterHold[] }> {
  const lessons = new Map<string, Lesson>();
  const add = (bound: AttemptVolume, of: TicketedAttempt, to: Endpoint | undefined): void => {
    const key = `${bound.splitter} ${of.ticket}`;
    const before = lessons.get(key)?.volumes ?? [];
    lessons.set(key, { splitter: bound.splitter, attempt: of, volumes: [...before, bound], to });
  };
  if (contents === undefined) {
    for (const { attempt: of, splitter, volume, epoch, to } of holds) add({ splitter, volume, epoch }, of, to);
    return { lessons: [...lessons.values()], others: [] };
  }
  const known = { ...attempt, ticket: contents.ticket };
  const to = endpointOf(ports, await findGroup(ports, contents.to));
  for (const bound of contents.volumes) add(bound, known, to);
  return { lessons: [...lessons.values()], others: holds.filter((hold) => !isSameAttempt(known, hold.attempt)) };
}

/** A replica site whose folder was put back may have given one name to two attempts. */
function otherText({ splitter, volume, kind }: SplitterHold): string {
  return `Splitter "${splitter}" has a ${kind} of volume "${volume}" of another attempt with this name. It asks for the verdict itself.`;
}

function untaughtText(
  splitter: SplitterId,
  volumes: readonly AttemptVolume[],
  verdict: Verdict,
  { message }: MoverError,
): string {
  const names = volumes.map(({ volume }) => `"${volume}"`).join(', ');
  return `Splitter "${splitter}" does not know yet that ${names} ${verdict === 'COMMITTED' ? 'moved' : 'stays'}: ${message} It asks for the verdict itself.`;
}
