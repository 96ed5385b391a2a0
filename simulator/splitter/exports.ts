// The NBD exports of a splitter: one for each volume, under its id. Volumes come and go while
// guests are connected.
import type { VolumeId } from '../../contracts/ids.js';
import type { BlockDevice, ExportDirectory } from '../../nbd/block-device.js';

/**
 * Makes the directory of exports.
 * @param volumes the volumes there are now.
 * @param open opens a volume for one connection.
 */
export function exportsOf(volumes: () => Iterable<VolumeId>, open: (volume: VolumeId) => BlockDevice): ExportDirectory {
  return {
    list: () => [...volumes()],
    open: (name) => {
      for (const volume of volumes()) if (volume === name) return open(volume);
      return undefined;
    },
  };
}
