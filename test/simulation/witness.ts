// What is seen of a run while it goes on: every control call as it was answered where it arrived.
// From that alone it says which answers are wrong: it knows nothing of how the cores decide.
import {
  attemptName,
  type AttemptRecord,
  type AttemptRef,
  type TicketedAttempt,
  type Verdict,
} from '../../contracts/attempt.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import type { GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { PointMember, RecoveryPoint } from '../../contracts/point.js';
import type { OutputOf, ParsedInputOf } from '../../contracts/route.js';
import type { splitterApi } from '../../contracts/splitter-api.js';
import { Reached } from './reached.js';

type FenceInput = ParsedInputOf<typeof splitterApi.fence>;
type FenceAnswer = OutputOf<typeof splitterApi.fence>;

/** A control call as it arrived. */
export interface Served {
  readonly process: string;
  readonly call: string;
  readonly input: unknown;
  /** Makes the call once more, without the network. */
  readonly again: () => unknown;
  readonly answer?: unknown;
  readonly code?: ErrorCode;
}

/** A commit, in the order in which they happened. */
export interface Commit {
  readonly record: AttemptRecord;
  readonly contents: NonNullable<AttemptRecord['contents']>;
}

/** A member that was provisional when its point was closed. */
export interface SeenProvisional {
  readonly point: RecoveryPoint['id'];
  readonly member: PointMember;
  readonly attempt: AttemptRef;
}

/** The newest attempt that a splitter took a call of, and the newest whose verdict it knows. */
interface Newest {
  ticket: number;
  over: number;
}

interface Held {
  readonly life: string;
  readonly sinceMs: number;
  readonly holdMs: number;
  answer?: boolean;
}

export class Witness {
  readonly reached = new Reached();
  /** The first thing that went wrong. */
  broken: string | undefined;
  readonly commits: Commit[] = [];
  /** The last call of each content that was answered, by process, name and input. */
  readonly served = new Map<string, Served>();
  readonly provisional: SeenProvisional[] = [];
  /** When the first fence of an attempt was raised, in true time, by attempt. */
  readonly fencedAtMs = new Map<string, number>();
  readonly #newest = new Map<VolumeId, Newest>();
  readonly #fences = new Map<string, FenceAnswer>();
  readonly #holds = new Map<string, Held>();
  readonly #verdicts = new Map<string, AttemptRecord>();
  #hasSiteForgotten = false;
  readonly #tickets = new Map<number, string>();
  readonly #deadlines = new Map<string, { readonly life: number; readonly lastMs: number }>();

  break(message: string): void {
    this.broken ??= message;
  }

  /** Keeps an answered call, and counts a refused one. */
  heard(served: Served): void {
    const { process, call, input, answer, code } = served;
    if (code !== undefined) this.reached.hit(`${call} refused: ${code}`);
    if (answer !== undefined) this.served.set(`${process} ${call} ${JSON.stringify(input)}`, served);
  }

  /** The replica site came back older: what it said before counts no more. */
  siteForgot(): void {
    this.#hasSiteForgotten = true;
    this.#verdicts.clear();
    this.#tickets.clear();
    this.#deadlines.clear();
    this.commits.length = 0;
    this.provisional.length = 0;
    this.served.clear();
  }

  /** A splitter came back older or empty. */
  splitterForgot(splitter: SplitterId, volumes: Iterable<VolumeId>): void {
    for (const volume of volumes) this.#newest.delete(volume);
    for (const key of this.#fences.keys()) if (key.startsWith(`${splitter} `)) this.#fences.delete(key);
    for (const key of this.#holds.keys()) if (key.startsWith(`${splitter} `)) this.#holds.delete(key);
    for (const key of this.served.keys()) if (key.startsWith(`${splitter} `)) this.served.delete(key);
  }

  // ---- splitters ----

  /** A splitter took a call that is refused once the attempt is over. */
  took(call: string, volumes: Iterable<VolumeId>, attempt: TicketedAttempt): void {
    for (const volume of volumes) {
      const newest = this.#newestOf(volume);
      if (attempt.ticket < newest.ticket || attempt.ticket <= newest.over)
        this.break(
          `"${call}" of ${attemptName(attempt)} (ticket ${attempt.ticket}) was taken for ${volume}, which had seen ticket ${newest.ticket} and the verdict on ${newest.over}`,
        );
      newest.ticket = Math.max(newest.ticket, attempt.ticket);
    }
  }

  #newestOf(volume: VolumeId): Newest {
    const known = this.#newest.get(volume) ?? { ticket: 0, over: 0 };
    this.#newest.set(volume, known);
    return known;
  }

  learned(volumes: Iterable<VolumeId>, attempt: TicketedAttempt, verdict: Verdict): void {
    this.reached.hit(`learned: ${verdict}`);
    for (const volume of volumes) {
      const newest = this.#newestOf(volume);
      newest.over = Math.max(newest.over, attempt.ticket);
    }
    const record = this.#verdicts.get(attemptName(attempt));
    // A site put back to an older copy may open or abort anew what it had decided: it takes over
    // the splitter's verdict when that attaches.
    if (record !== undefined && record.state !== verdict && !this.#hasSiteForgotten)
      this.break(`${attemptName(attempt)} is ${record.state}, and a splitter learned ${verdict}`);
  }

  /** A fence was answered: a repeated call gets the cut of the first. */
  fenced(
    splitter: SplitterId,
    life: string,
    input: FenceInput,
    answer: FenceAnswer,
    nowMs: number,
    trueMs: number,
  ): void {
    const { attempt, holdMs } = input;
    const key = `${splitter} ${attempt.ticket}`;
    const before = this.#fences.get(key);
    if (before !== undefined) {
      this.reached.hit('fence: repeated');
      const isSame =
        JSON.stringify(before.cuts) === JSON.stringify(answer.cuts) &&
        before.atMs === answer.atMs &&
        (answer.others.length === 0 || JSON.stringify(before.others) === JSON.stringify(answer.others));
      if (!isSame)
        this.break(
          `${splitter} gave ${attemptName(attempt)} the cut ${JSON.stringify(before)}, and later ${JSON.stringify(answer)}`,
        );
      return;
    }
    this.#fences.set(key, answer);
    const name = attemptName(attempt);
    if (!this.fencedAtMs.has(name)) this.fencedAtMs.set(name, trueMs);
    if (answer.others.length > 0) this.reached.hit('fence: with cuts of other members');
    if (holdMs > 0) this.raised(`${splitter} ${attemptName(attempt)}`, life, holdMs, nowMs);
  }

  /** A hold was raised. */
  raised(key: string, life: string, holdMs: number, nowMs: number): void {
    if (!this.#holds.has(key)) this.#holds.set(key, { life, sinceMs: nowMs, holdMs });
  }

  /**
   * A hold was asked about: it lasted only within its time, and in the life that raised it.
   * @param asked the life that answered the cut, as the question names it
   */
  confirmed(key: string, life: string, held: boolean, nowMs: number, asked = life): void {
    if (asked !== life) {
      this.reached.hit('confirm: another life');
      if (held) this.break(`the hold ${key} of another life counts as held`);
      return;
    }
    const hold = this.#holds.get(key);
    const isOver = hold === undefined || hold.life !== life || nowMs - hold.sinceMs >= hold.holdMs;
    if (!held) this.reached.hit(hold?.life === life ? 'confirm: expired' : 'confirm: another life');
    if (hold?.answer !== undefined && hold.life === life) {
      this.reached.hit('confirm: repeated');
      if (hold.answer !== held) this.break(`the hold ${key} was ${hold.answer}, and later ${held}`);
      return;
    }
    if (held && isOver)
      this.break(
        `the hold ${key} of ${hold?.holdMs} ms counts as held ${nowMs - (hold?.sinceMs ?? 0)} ms after it was raised`,
      );
    if (hold?.life === life) hold.answer = held;
  }

  // ---- the replica site ----

  /** A record was answered: its verdict is for ever, and so is what it was opened with. */
  saw(record: AttemptRecord): void {
    const name = attemptName(record.attempt);
    const before = this.#verdicts.get(name);
    // Answers from before a put-back may still be on their way.
    if (before !== undefined && !this.#hasSiteForgotten) {
      const hasChanged = before.state !== 'OPEN' && before.state !== record.state;
      const isEarlier = before.state !== 'OPEN' && before.decidedAtMs !== record.decidedAtMs;
      if (hasChanged || isEarlier)
        this.break(
          `${name} was ${before.state} at ${before.decidedAtMs}, and is ${record.state} at ${record.decidedAtMs}`,
        );
      if (before.contents !== undefined && record.contents?.ticket !== before.contents.ticket)
        this.break(`${name} had ticket ${before.contents.ticket}, and has ${record.contents?.ticket}`);
      if (before.joined !== undefined && JSON.stringify(before.joined) !== JSON.stringify(record.joined))
        this.break(`${name} joined in ${before.joined.point}, and later in ${record.joined?.point}`);
    }
    this.#verdicts.set(name, record);
    const { contents } = record;
    if (contents !== undefined) {
      const owner = this.#tickets.get(contents.ticket);
      if (owner !== undefined && owner !== name) this.break(`${owner} and ${name} have the ticket ${contents.ticket}`);
      this.#tickets.set(contents.ticket, name);
    }
    const deadline = this.#deadlines.get(name);
    if (record.state === 'OPEN' && contents?.lease !== undefined && contents.lease.life === deadline?.life)
      if (contents.lease.ms > 0 && contents.lease.untilMs > deadline.lastMs)
        this.break(`${name} has a lease until ${contents.lease.untilMs}, beyond its deadline at ${deadline.lastMs}`);
  }

  /**
   * An attempt was opened: it has a deadline from now on. A repeated call in another life of the
   * site answers with the lease of the first, by that one's clock.
   */
  opened(record: AttemptRecord, deadlineAfterMs: number, nowMs: number): void {
    const name = attemptName(record.attempt);
    const { contents } = record;
    if (record.state !== 'OPEN' || contents?.lease === undefined || this.#deadlines.has(name)) return;
    if (contents.lease.untilMs !== nowMs + contents.lease.ms) return;
    this.#deadlines.set(name, { life: contents.lease.life, lastMs: nowMs + deadlineAfterMs });
  }

  /** @returns the commit if this record is the first to tell of it. */
  committed(record: AttemptRecord): Commit | undefined {
    const { contents } = record;
    const name = attemptName(record.attempt);
    if (record.state !== 'COMMITTED' || contents === undefined) return undefined;
    if (this.commits.some((commit) => attemptName(commit.record.attempt) === name)) return undefined;
    const commit: Commit = { record, contents };
    this.commits.push(commit);
    return commit;
  }

  /** A point was closed. */
  closed(point: RecoveryPoint): void {
    this.reached.hit(`point: ${point.kind}`);
    for (const { reason } of point.leftOut) this.reached.hit(`left out: ${reason}`);
    for (const member of point.members) {
      if (member.provisional === undefined) continue;
      this.reached.hit('point: with a provisional member');
      this.provisional.push({ point: point.id, member, attempt: member.provisional });
    }
  }

  /** The groups that a volume was in, by the commits that were seen, oldest first. */
  historyOf(
    volume: VolumeId,
  ): { readonly group: GroupId; readonly epoch: number; readonly from: number; readonly move: string }[] {
    return this.commits.flatMap(({ record, contents }) => {
      const bound = contents.volumes.find((candidate) => candidate.volume === volume);
      const seal = record.seals.find((candidate) => candidate.volume === volume);
      if (bound === undefined || seal === undefined) return [];
      return [{ group: contents.to, epoch: bound.epoch + 1, from: seal.position, move: record.attempt.move }];
    });
  }
}

/** Serves a control call under the witness's eyes. */
export function serve<T>(witness: Witness, call: Pick<Served, 'process' | 'call' | 'input'>, run: () => T): T {
  try {
    const answer = run();
    witness.heard({ ...call, again: run, answer });
    return answer;
  } catch (error) {
    if (error instanceof MoverError) witness.heard({ ...call, again: run, code: error.code });
    throw error;
  }
}
