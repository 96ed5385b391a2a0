// The NBD exports of a splitter: each virtual volume under its id.
import type { VolumeId } from '../../contracts/ids.js';
import type { BlockDevice, ExportDirectory } from '../../nbd/block-device.js';

/**
 * Makes the directory of exports.
 * @param open opens a volume for one connection.
 */
export function exportsOf(volumes: Iterable<VolumeId>, open: (volume: VolumeId) => BlockDevice): ExportDirectory {
  const byName = new Map<string, VolumeId>([...volumes].map((volume) => [volume, volume]));
  return {
    list: () => [...byName.keys()],
    open: (name) => {
      const volume = byName.get(name);
      return volume === undefined ? undefined : open(volume);
    },
  };
}
