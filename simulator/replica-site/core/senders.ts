// Which lives of its splitter sent a volume's records. Positions of a lineage come again when both
// ends are put back; a life does not.
import type { LifeId } from '../../../contracts/lineage.js';
import type { Sender } from './rows.js';

/** Most senders remembered of a volume. */
const SENDERS_MAX = 64;

/**
 * Adds a life that sends the records after a position. Senders of records that are not there (any
 * more) go.
 */
export function withSender(senders: readonly Sender[], sender: Sender): readonly Sender[] {
  const before = senders.filter(({ base }) => base < sender.base);
  return before.at(-1)?.life === sender.life ? before : [...before, sender].slice(-SENDERS_MAX);
}

/** The life that sent the record at a position; undefined when it is not known any more. */
export function senderOf(senders: readonly Sender[], position: number): LifeId | undefined {
  return senders.findLast(({ base }) => base < position)?.life;
}
