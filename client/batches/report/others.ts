// Moves that neither moved nor failed.
import type { GroupTally } from '../tally.js';

export function othersOf({ counts }: GroupTally): number {
  return counts.cancelled + counts['already-there'] + counts['window-closed'] + counts['not-moved'];
}
