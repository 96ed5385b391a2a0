// The table of an idle estate's costs, for people.
import { bytes, duration } from '../../client/text/format.js';
import type { Table } from '../bench.js';
import type { IdleEstate } from './idle-estate.js';

interface IdleSize {
  readonly volumes: number;
  readonly idle: Omit<IdleEstate, 'running'>;
}

export function idleTable(sizes: readonly IdleSize[]): Table {
  return {
    titles: ['VOLUMES, IDLE', 'PROCESS', 'STARTS IN', 'MEMORY', 'CPU A SECOND', 'ALL PROTECTED AFTER'],
    rows: sizes.flatMap(({ volumes, idle }) =>
      idle.processes.map(({ id, startMs, residentBytes, cpuMsPerSecond }) => [
        `${volumes}`,
        id,
        duration(startMs),
        bytes(residentBytes),
        duration(cpuMsPerSecond),
        duration(idle.protectedMs),
      ]),
    ),
  };
}
