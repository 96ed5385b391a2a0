// Which lives of its splitter sent a volume's records. After both ends are put back from copies,
// the same positions name other records; the id of a life is never used twice.
import type { LifeId } from '../../../contracts/lineage.js';
import type { Sender } from './rows.js';

/** Most senders remembered of a volume. */
const SENDERS_MAX = 64;

/**
 * Adds the life that sends the records after a position. Removes senders of later records: those
 * records are gone.
 */
export function withSender(senders: readonly Sender[], sender: Sender): readonly Sender[] {
  const before = senders.filter(({ base }) => base < sender.base);
  return before.at(-1)?.life === sender.life ? before : [...before, sender].slice(-SENDERS_MAX);
}

/** The life that sent the record at a position; undefined when it is not known any more. */
export function senderOf(senders: readonly Sender[], position: number): LifeId | undefined {
  return senders.findLast(({ base }) => base < position)?.life;
}
