// Paths of a volume's files in the data folder.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumeId } from '../../../contracts/ids.js';

export interface VolumeFiles {
  readonly source: string;
  readonly marks: string;
  readonly spill: string;
  readonly trace: string;
}

/**
 * Makes the folder of the volumes' files.
 * @returns a volume's paths in it.
 */
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
