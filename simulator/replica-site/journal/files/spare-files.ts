// Files for work that must succeed on a full disk: opening a journal, and dropping history. When a
// write finds no room, the reserve gives some and the write is repeated.
import type { RoomReserve } from '../../../disk/room-reserve.js';
import { isOutOfRoom } from '../../../store/storage-failure.js';
import type { Files } from '../terms/files.js';

/** Room that a new name or the end of a file may take beside the bytes written. */
const EXTRA_BYTES = 64 * 1024;

export function spareFiles(files: Files, reserve: Pick<RoomReserve, 'give'>): Files {
  const drawing = <Result>(bytes: number, work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      if (!isOutOfRoom(error) || !reserve.give(bytes + EXTRA_BYTES)) throw error;
      return work();
    }
  };
  return {
    makeDirectory: (directory) => drawing(0, () => files.makeDirectory(directory)),
    list: (directory) => files.list(directory),
    size: (path) => files.size(path),
    read: (path, into, at) => files.read(path, into, at),
    readLater: async (path, into, at) => files.readLater(path, into, at),
    partNow: (path, at, length) => files.partNow?.(path, at, length) ?? { length, isHole: false },
    write: (path, parts, at) => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      drawing(bytes, () => files.write(path, parts, at));
    },
    truncate: (path, length) => files.truncate(path, length),
    rename: (from, to) => drawing(0, () => files.rename(from, to)),
    remove: (path) => files.remove(path),
    datasync: async (path) => files.datasync(path),
    syncDirectory: async (directory) => files.syncDirectory(directory),
    release: (directory) => files.release(directory),
  };
}
