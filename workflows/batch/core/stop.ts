// Why a batch ends before all moves were tried, and how several reasons combine.
import type { Stop } from '../../../contracts/batch-run.js';

/**
 * Combines two stops. The first reason stands unless the next is a cancellation; the stricter rule
 * for running moves wins.
 */
export function stopOf(first: Stop | undefined, next: Stop): Stop {
  const { why, text } = first === undefined || next.why === 'cancelled' ? next : first;
  const isStricter = next.running === 'roll-back' || first?.running === 'roll-back';
  return { why, text, running: isStricter ? 'roll-back' : 'finish' };
}
