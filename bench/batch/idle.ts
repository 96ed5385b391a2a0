// `idle`: the cost of volumes that nobody writes to or moves. An estate with many of them must
// start soon and use next to nothing for each.
import { join } from 'node:path';
import { bytes } from '../../client/text/format.js';
import type { Bench, BenchResult, BenchRun } from '../bench.js';
import { profiling } from '../profile.js';
import { batchEstate, GROUP_VOLUMES, POINT_EVERY_MS, VOLUME_MIB } from './batch-estate.js';
import { type IdleEstate, IDLE_MS, launchIdleEstate } from './idle-estate.js';
import { idleTable } from './idle-table.js';

const VOLUMES: readonly number[] = [1_000, 10_000];

export const idle: Bench = {
  name: 'idle',
  summary: 'start time, memory and CPU of an idle estate with 1,000 and 10,000 volumes',
  repetitions: 1,
  run,
};

async function run({ folder, profileFolder, volumes = VOLUMES, repetitions, print }: BenchRun): Promise<BenchResult> {
  const sizes: { readonly volumes: number; readonly idle: Omit<IdleEstate, 'running'> }[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (const count of volumes) {
      print(`${repetition}. starting an estate of ${count} volumes.`);
      const part = `idle-${count}-${repetition}`;
      const { running, ...measured } = await launchIdleEstate({
        estate: batchEstate(count, 0).estate,
        dataDirectory: join(folder, part),
        environment: { VOLUME_MOVER_LOG_LEVEL: 'warn', ...profiling(profileFolder, part) },
      });
      await running.stop();
      sizes.push({ volumes: count, idle: measured });
    }
  }
  return {
    goals: [],
    stretch: [],
    table: idleTable(sizes),
    raw: { sizes },
    conditions: [
      `sparse volumes of ${bytes(VOLUME_MIB * 1024 * 1024)} on one splitter, ${GROUP_VOLUMES} to a group, as many empty groups, two appliances; fresh data folders; a point of each group every ${POINT_EVERY_MS / 1_000} s; no worker`,
      `memory: resident once all volumes are protected; CPU: over the ${IDLE_MS / 1_000} s before memory is read`,
    ],
    notMeasured: [
      'a start with the journals and points of a long-running estate',
      'volumes of real sizes, written once',
    ],
    versions: {},
  };
}
