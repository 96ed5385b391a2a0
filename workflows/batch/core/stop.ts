// Why a batch ends before all its moves had their turn, and how several reasons become one.
import type { Stop } from '../../../contracts/batch-run.js';

/**
 * The first reason stands, but for a cancellation; the stricter wish about the running moves
 * counts.
 */
export function stopOf(first: Stop | undefined, next: Stop): Stop {
  const { why, text } = first === undefined || next.why === 'cancelled' ? next : first;
  const isStricter = next.running === 'roll-back' || first?.running === 'roll-back';
  return { why, text, running: isStricter ? 'roll-back' : 'finish' };
}
