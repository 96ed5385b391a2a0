// What one run shows, small enough to be sent between processes and added up.
import type { Mix } from './mixes.js';
import { runSeed } from './run.js';
import type { World } from './world.js';

/** Moves of one run under a mix. */
const MOVES_PER_RUN = 4;

export interface RunFacts {
  readonly mix: string;
  readonly seed: number;
  /** Count of moves by how they ended; empty if the run broke. */
  readonly moves: ReadonlyMap<string, number>;
  readonly writes: number;
  readonly reads: number;
  readonly points: number;
  /** Count of faults by kind. */
  readonly faults: ReadonlyMap<string, number>;
  /** Count of guards, refusals and rare branches by name. */
  readonly reached: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  /** Time of the processor. */
  readonly cpuMs: number;
  /** The broken promise. */
  readonly broken?: string;
}

/** Runs one seed under a mix. A broken promise is an answer, not an error. */
export async function factsOf(mix: Mix, seed: number, onWorld?: (world: World) => void): Promise<RunFacts> {
  const worlds: { readonly world: World; readonly startMs: number }[] = [];
  const cpu = process.cpuUsage();
  const moves = new Map<string, number>();
  let points = 0;
  let broken: string | undefined;
  try {
    const run = await runSeed(mix, seed, MOVES_PER_RUN, (world) => {
      worlds.push({ world, startMs: world.time.nowMs });
      onWorld?.(world);
    });
    points = run.points.checked;
    for (const end of run.ends) {
      const kind = end.kind === 'failed' ? `failed: ${end.code}` : end.kind;
      moves.set(kind, (moves.get(kind) ?? 0) + 1);
    }
  } catch (error) {
    broken = error instanceof Error ? error.message : String(error);
  }
  const { user, system } = process.cpuUsage(cpu);
  const [{ world, startMs } = {}] = worlds;
  return {
    mix: mix.name,
    seed,
    moves,
    writes: world?.history.length ?? 0,
    reads: world?.reads ?? 0,
    points,
    faults: world?.befell ?? new Map(),
    reached: world?.reached ?? new Map(),
    virtualMs: world === undefined || startMs === undefined ? 0 : world.time.nowMs - startMs,
    cpuMs: (user + system) / 1_000,
    ...(broken === undefined ? {} : { broken }),
  };
}
