// How much of one volume its streams may send: the receiver's side of credit. Pure: the shell sends
// and stores.

export interface CreditLimits {
  /** Most bytes on the way or in memory. */
  readonly windowBytes: number;
  /** Most bytes on the way, in memory, or in DO. */
  readonly unappliedBytesMax: number;
}

/** Bytes of the volume that the site holds. A record adds at most its cost to either number. */
export interface Holding {
  /** Bytes in memory: not durable yet. */
  readonly unwrittenBytes: number;
  /** Bytes in DO, or on the way into it: not applied yet. */
  readonly unappliedBytes: number;
}

interface Book {
  /** Bytes that it may send in all since it began. */
  grantedBytes: number;
  /** Bytes that came in all since it began. */
  takenBytes: number;
  /** Whether it was told that its credit is used up. */
  toldSpent: boolean;
}

/**
 * The least new grant, as a share of the window: otherwise a grant would be sent for every record.
 */
const STEP_PART = 1 / 4;

/**
 * The credit of one volume's attachments. Invariants at every instant, whatever the senders do:
 * - Only the newest attachment has credit, so the volume's room is given out once, however often it
 *   is attached.
 * - Unused credit is at most the room at the time of the grant, and a taken record turns credit
 *   into bytes held. So `unwrittenBytes` never exceeds the window, nor `unappliedBytes` its limit,
 *   by more than one record.
 * - When all that came is applied, the newest attachment has credit.
 */
export class VolumeCredit<Attachment> {
  readonly #limits: CreditLimits;
  /** Attachments, the oldest first. */
  readonly #books = new Map<Attachment, Book>();
  #newest: { readonly attachment: Attachment; readonly book: Book } | undefined;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
  }

  get attachments(): Iterable<Attachment> {
    return this.#books.keys();
  }

  /** Whether the newest attachment has used up its credit: no more of the volume comes in. */
  get isSpent(): boolean {
    return this.#newest !== undefined && isSpent(this.#newest.book);
  }

  /** Adds an attachment. Unused credit of older ones is void. */
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

  /**
   * Counts a record that came.
   * @returns false if it was sent without credit: the record must not be taken.
   */
  take(attachment: Attachment, costBytes: number): boolean {
    const book = this.#books.get(attachment);
    if (book === undefined || isSpent(book)) return false;
    book.takenBytes += costBytes;
    return true;
  }

  /**
   * The bytes granted in all, to tell the newest attachment. It is told of each grant, and once
   * when its credit is used up and there is no room for more. Undefined if there is nothing new.
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
