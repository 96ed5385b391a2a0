// A virtual volume without protection, to measure what protection costs: no marks, no queue, no
// stream.
import type { BlockDevice } from '../../../nbd/block-device.js';
import { nbdErrorOf } from '../../disk/errno.js';
import { discardMarks } from '../files/marks-file.js';
import { SourceFile } from '../files/source-file.js';
import { BLOCK_SIZES } from './volume-device.js';

/**
 * @param marksPath bitmap to delete: a later protected life then counts the whole volume as marked.
 */
export function openUnprotected(sourcePath: string, marksPath: string, sizeBytes: number): BlockDevice {
  discardMarks(marksPath);
  const source = new SourceFile(sourcePath, sizeBytes);
  const orNbdError = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw nbdErrorOf(error);
    }
  };
  return {
    sizeBytes,
    readOnly: false,
    blockSizes: BLOCK_SIZES,
    canMultiConn: false,
    read: (offset, length) => orNbdError(() => source.readNow(offset, length)),
    write: (offset, data, fua) => {
      orNbdError(() => source.writeNow(offset, data));
      return fua ? source.sync() : undefined;
    },
    zeroes: async (offset, length, { trim, fua }) => {
      if (!trim) await source.zeroLater(offset, length);
      if (fua) await source.sync();
    },
    flush: async () => source.sync(),
    close: () => source.close(),
  };
}
