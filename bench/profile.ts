// Makes the product's processes write a CPU profile each, and a count of the control calls they
// make.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { entryPoint } from '../estate/project.js';

/** Environment for an estate's processes; empty without a folder. `part` separates runs' files. */
export function profiling(folder: string | undefined, part: string): Record<string, string> {
  if (folder === undefined) return {};
  const target = join(resolve(folder), part);
  mkdirSync(target, { recursive: true });
  return { NODE_OPTIONS: `--import=${entryPoint('bench/profiled-process')}`, VOLUME_MOVER_BENCH_PROFILE: target };
}
