// How much of one volume its streams may send: the taker's side of credit. Pure: who sends and who
// stores is the shell's business.

export interface CreditLimits {
  /** The most that may be on its way or in memory. */
  readonly windowBytes: number;
  /** The most that may be on its way, in memory, or in DO. */
  readonly unappliedBytesMax: number;
}

/** What is taken in of the volume. Of either a record adds no more than it cost. */
export interface Holding {
  /** Not durable yet: in memory. */
  readonly unwrittenBytes: number;
  /** Not applied yet: in DO, or on its way into it. */
  readonly unappliedBytes: number;
}

interface Book {
  /** In all since the attachment began: what it may send, and what came. */
  grantedBytes: number;
  takenBytes: number;
  /** Whether it knows that it has used up its credit. */
  toldSpent: boolean;
}

/**
 * It is granted anew in steps of at least this part of the window: a grant is not sent for every
 * record.
 */
const STEP_PART = 1 / 4;

/**
 * Invariants, at every instant and whatever the senders do:
 * - Only the newest attachment has credit. So the room of the volume is given out once, however
 *   often it is attached.
 * - What is granted and not taken is at most the room there was when it was granted; taking a
 *   record moves it from the one to the
 *   other. So `unwrittenBytes` never exceeds the window, nor `unappliedBytes` its limit, by more
 * than one record.
 * - When everything that came is applied, the newest attachment has credit.
 */
export class VolumeCredit<Attachment> {
  readonly #limits: CreditLimits;
  /** In the order in which they came. */
  readonly #books = new Map<Attachment, Book>();
  #newest: { readonly attachment: Attachment; readonly book: Book } | undefined;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
  }

  get attachments(): Iterable<Attachment> {
    return this.#books.keys();
  }

  /**
   * Whether the newest attachment has used up what it was granted: nothing more of the volume comes
   * in.
   */
  get isSpent(): boolean {
    return this.#newest !== undefined && isSpent(this.#newest.book);
  }

  /** What older attachments were granted and have not used counts no more. */
  add(attachment: Attachment): void {
    const before = this.#newest?.book;
    if (before !== undefined) before.grantedBytes = Math.min(before.grantedBytes, before.takenBytes);
    const book: Book = { grantedBytes: 0, takenBytes: 0, toldSpent: false };
    this.#books.set(attachment, book);
    this.#newest = { attachment, book };
  }

  remove(attachment: Attachment): void {
    this.#books.delete(attachment);
    if (this.#newest?.attachment !== attachment) return;
    const last = [...this.#books].at(-1);
    this.#newest = last === undefined ? undefined : { attachment: last[0], book: last[1] };
  }

  /** A record came. @returns false if it was sent without credit: it must not be taken in. */
  take(attachment: Attachment, costBytes: number): boolean {
    const book = this.#books.get(attachment);
    if (book === undefined || isSpent(book)) return false;
    book.takenBytes += costBytes;
    return true;
  }

  /**
   * What to tell the newest attachment now: the bytes granted in all. It is told of each grant, and
   * once of having used up the last one when there is no room for another. Undefined when there is
   * nothing new to tell.
   */
  next(holding: Holding): { readonly to: Attachment; readonly grantedBytes: number } | undefined {
    if (this.#newest === undefined) return undefined;
    const { attachment: to, book } = this.#newest;
    const room = this.#room(holding);
    const step = this.#limits.windowBytes * STEP_PART;
    if (room >= step && book.takenBytes + room - book.grantedBytes >= step) {
      book.grantedBytes = book.takenBytes + room;
      book.toldSpent = false;
      return { to, grantedBytes: book.grantedBytes };
    }
    if (!isSpent(book) || book.toldSpent) return undefined;
    book.toldSpent = true;
    return { to, grantedBytes: book.grantedBytes };
  }

  #room({ unwrittenBytes, unappliedBytes }: Holding): number {
    const { windowBytes, unappliedBytesMax } = this.#limits;
    return Math.min(windowBytes - unwrittenBytes, unappliedBytesMax - unappliedBytes);
  }
}

function isSpent(book: Book): boolean {
  return book.takenBytes >= book.grantedBytes;
}
