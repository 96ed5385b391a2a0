// The audit of a process: an entry for each call that changes something, and for each that was
// refused because of its caller. It never stands in the way of a call.
import { MoverError } from '../../../contracts/errors.js';
import { AUDIT_TEXT_LENGTH_MAX, type AuditEntry, type auditOperation } from '../../../contracts/audit.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import { AgeClock } from '../../../control/clock/age-clock.js';
import type { Moment } from '../../../control/clock/clock.js';
import type { Caller } from '../callers.js';
import { aboutOf } from './audit-about.js';
import { AuditFiles, type AuditLimits } from './audit-files.js';
import { AUDIT_LIMITS_DEFAULT } from './audit-limits.js';

/** Folder of the audit in a process's data folder. */
export const AUDIT_FOLDER = 'audit';

/**
 * Time, ms, in which gathered calls of one kind make two entries at most: the first call, and a
 * count of the others. A kind is caller, address and outcome; for a known caller the operation too.
 */
const GATHER_MS_DEFAULT = 60_000;
/** Kinds of calls that are gathered apart. Those beyond are gathered by their outcome alone. */
const GATHERED_MAX = 1_000;
/** Begins the key of calls beyond GATHERED_MAX. No caller's key begins so. */
const OTHERS = '\0others';

export interface AuditLogOptions {
  readonly folder: string;
  /** The process's name in answers. @example "splitter host-1" */
  readonly process: string;
  readonly clock: AuditClock;
  readonly limits?: AuditLimits | undefined;
  readonly gatherMs?: number | undefined;
}

export interface AuditClock {
  now(): Moment;
  /** Whether the wall clock has agreed with monotonic time for long enough. */
  readonly watch: { readonly isAgreed: boolean };
}

export interface AuditedCall {
  /** Undefined for a caller that is not known. */
  readonly caller: Caller | undefined;
  readonly from: string;
  readonly operation: string;
  readonly input: unknown;
  readonly outcome: AuditEntry['outcome'];
}

interface Gathered {
  readonly first: AuditedCall;
  more: number;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #files: AuditFiles;
  readonly #age: AgeClock;
  readonly #gathered = new Map<string, Gathered>();
  #timer: NodeJS.Timeout | undefined;
  #failure: { readonly message: string; readonly sinceMs: number; lost: number } | undefined;

  /** Opens the folder. One that can't be opened is told by `note`, and tried again. */
  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#files = new AuditFiles(options.folder, options.limits ?? AUDIT_LIMITS_DEFAULT);
    const now = options.clock.now();
    let newestMs: number | undefined;
    try {
      newestMs = this.#files.open();
    } catch (error) {
      this.#failed(error, 0);
    }
    this.#age = new AgeClock(newestMs, now);
  }

  /** A sentence while entries can't be kept. */
  get note(): string | undefined {
    if (this.#failure === undefined) return undefined;
    const { message, sinceMs, lost } = this.#failure;
    const since = new Date(sinceMs).toISOString();
    return `The audit cannot be written in ${this.#options.folder} since ${since}: ${message}. Calls that are missing in it: ${lost}; they were answered as usual. Check that disk; the audit then goes on by itself.`;
  }

  add(call: AuditedCall): void {
    this.#append(call);
  }

  /**
   * Adds a call of a kind that may come again and again: a refused caller, a stream over a bad
   * link. Repeated ones are gathered: they must neither push other entries out nor fill the disk.
   */
  addGathered(call: AuditedCall): void {
    const who = `${call.caller?.name ?? ''} ${call.from} ${call.outcome}`;
    const key = call.caller === undefined ? who : `${who} ${call.operation}`;
    const place = this.#gathered.has(key) || this.#gathered.size < GATHERED_MAX ? key : `${OTHERS} ${call.outcome}`;
    const gathered = this.#gathered.get(place);
    if (gathered !== undefined) {
      gathered.more += 1;
      return;
    }
    this.#gathered.set(place, { first: call, more: 0 });
    this.#append(call);
    this.#timer ??= setTimeout(() => this.flush(), this.#options.gatherMs ?? GATHER_MS_DEFAULT).unref();
  }

  /** Adds what is gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [place, { first, more }] of this.#gathered) {
      // The others may be anybody's.
      const told = place.startsWith(OTHERS) ? { ...first, caller: undefined, from: '-', operation: '-' } : first;
      if (more > 0) this.#append(told, more);
    }
    this.#gathered.clear();
  }

  /** @throws MoverError STORAGE_FAILED when the files can't be read */
  async list({
    sinceMs = 0,
    before,
    limit,
  }: ParsedInputOf<typeof auditOperation>): Promise<OutputOf<typeof auditOperation>> {
    const { process, folder } = this.#options;
    const entries: AuditEntry[] = [];
    try {
      for await (const entry of this.#files.entries(before, sinceMs)) {
        entries.push(entry);
        if (entries.length === limit) return { process, entries, next: entry.seq };
      }
    } catch (cause) {
      throw new MoverError(
        'STORAGE_FAILED',
        `The audit of ${process} in ${folder} can't be read: ${messageOf(cause)}.`,
        {
          cause,
        },
      );
    }
    return { process, entries };
  }

  #append({ caller, from, operation, input, outcome }: AuditedCall, times?: number): void {
    const { clock } = this.#options;
    const now = clock.now();
    const entry = {
      atMs: now.wallMs,
      caller: bounded(caller?.name ?? '-'),
      roles: [...(caller?.roles ?? [])],
      from: bounded(from),
      operation: bounded(operation),
      about: aboutOf(input),
      outcome,
      ...(times === undefined ? {} : { times }),
    };
    try {
      this.#files.append(entry, this.#age.advance(now, clock.watch.isAgreed));
      this.#failure = undefined;
    } catch (error) {
      this.#failed(error, times ?? 1);
    }
  }

  #failed(error: unknown, lost: number): void {
    const {
      message,
      sinceMs,
      lost: before,
    } = this.#failure ?? {
      message: messageOf(error),
      sinceMs: this.#options.clock.now().wallMs,
      lost: 0,
    };
    this.#failure = { message, sinceMs, lost: before + lost };
  }
}

/** A path that somebody made up may be as long as a request. */
function bounded(text: string): string {
  return text.slice(0, AUDIT_TEXT_LENGTH_MAX);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
