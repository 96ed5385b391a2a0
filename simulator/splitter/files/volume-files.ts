// Where a volume's files lie in the data folder.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumeId } from '../../../contracts/ids.js';

export interface VolumeFiles {
  readonly source: string;
  readonly marks: string;
  readonly spill: string;
  readonly trace: string;
}

/** @returns the names of a volume's files in a folder that is made here. */
export function volumeFilesIn(dataFolder: string): (volume: VolumeId) => VolumeFiles {
  const folder = join(dataFolder, 'volumes');
  mkdirSync(folder, { recursive: true });
  return (volume) => ({
    source: join(folder, `${volume}.img`),
    marks: join(folder, `${volume}.marks`),
    spill: join(folder, `${volume}.spill`),
    trace: join(folder, `${volume}.trace`),
  });
}
