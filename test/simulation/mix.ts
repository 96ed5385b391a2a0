// What a run is made of: faults, size, and what befalls its moves.
import type { Trouble } from './orchestrator.js';
import type { Faults, World, WorldShape } from './world.js';

export interface Mix extends WorldShape {
  readonly name: string;
  readonly faults: Partial<Faults>;
  readonly trouble: (world: World) => Trouble;
  /** Chance that a move starts while the one before is still under way; default: never. */
  readonly crossing?: number;
  /** Whether faults are aimed at single calls. */
  readonly aims?: boolean;
  /** Whether a person reverses moves that can be reversed, or ends that, now and then. */
  readonly reverses?: boolean;
  /** How long the story waits after its first move, now and then, in ms; default: not. */
  readonly lingerMs?: number;
  /** What each seed draws for itself. */
  readonly drawn?: (seed: number) => Partial<Mix>;
}
