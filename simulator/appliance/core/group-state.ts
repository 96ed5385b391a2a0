// The state of a group, as its appliance sees it.
import type { GroupState } from '../../../contracts/appliance-api.js';

export interface GroupSituation {
  readonly paused: boolean;
  /** Whether the replica site is reachable. */
  readonly siteReachable: boolean;
  readonly members: number;
  /** Members whose splitter is connected and has attached them. */
  readonly attached: number;
  /** Members in a short initialization: only its end state can be recovered. */
  readonly initializing: number;
}

/**
 * The first state that applies: PAUSED, DISCONNECTED (no write of the group can arrive),
 * INITIALIZING, ACTIVE.
 */
export function groupState({ paused, siteReachable, members, attached, initializing }: GroupSituation): GroupState {
  if (paused) return 'PAUSED';
  if (!siteReachable || (members > 0 && attached === 0)) return 'DISCONNECTED';
  return initializing > 0 ? 'INITIALIZING' : 'ACTIVE';
}
