// What state a group is in, from what its appliance sees.
import type { GroupState } from '../../../contracts/appliance-api.js';

export interface GroupSituation {
  readonly paused: boolean;
  /** Whether the replica site can be reached. */
  readonly siteReachable: boolean;
  readonly members: number;
  /** Members whose splitter is connected and has attached them. */
  readonly attached: number;
  /** Members of which only the end state of a short initialization can be recovered now. */
  readonly initializing: number;
}

/**
 * The first of them that is true: PAUSED, DISCONNECTED (nothing of it can arrive), INITIALIZING,
 * ACTIVE.
 */
export function groupState({ paused, siteReachable, members, attached, initializing }: GroupSituation): GroupState {
  if (paused) return 'PAUSED';
  if (!siteReachable || (members > 0 && attached === 0)) return 'DISCONNECTED';
  return initializing > 0 ? 'INITIALIZING' : 'ACTIVE';
}
