// Makes a journal usable whatever lies in its folder: what can't be used goes aside, what is sound
// is kept, all of it is looked at, and a new lineage begins. A kill at any step leaves a folder
// that the next rebuild, or opening, goes on from.
import { join } from 'node:path';
import { isOutOfRoom } from '../../store/storage-failure.js';
import { Aside, isAsideName } from './files/aside.js';
import { JournalError } from './terms/errors.js';
import { processFiles } from './files/node-files.js';
import type { JournalOptions } from './terms/types.js';
import { GivingUp, isUnreadable } from './files/unreadable.js';
import { openCheckedJournal } from './volume-journal.js';
import type { CheckedJournal } from './volume-journal.js';

/** Why a rebuilt journal has a new lineage: nobody can say what its files went through. */
const REASON = 'the journal was rebuilt';

/**
 * Rebuilds the journal of a folder that no other journal has open, and returns it opened. Reads all
 * of the replica image and of UNDO once; what the disk refuses to read counts as damaged. What has
 * to be sent again, and what is lost, is told by the journal.
 * @throws JournalError OUT_OF_RANGE, SIZE_MISMATCH, FAILED; the system's error if the disk refuses
 * to write
 */
export async function rebuildVolumeJournal(options: JournalOptions, reason = REASON): Promise<CheckedJournal> {
  const { files = processFiles } = options;
  const givingUp = new GivingUp();
  const journal = await openAnyway({
    ...options,
    files: givingUp.of(files),
    spareFiles: givingUp.of(options.spareFiles ?? files),
  });
  try {
    await journal.checkUndo();
    if (!journal.isLineageUnused) await journal.fork(reason);
    await journal.acceptLosses();
    givingUp.end();
    return journal;
  } catch (error) {
    await journal.close().catch(() => undefined);
    throw error;
  }
}

/**
 * A folder that can't be opened at all loses its journal first, and its replica image only if that
 * does not help.
 */
async function openAnyway(options: JournalOptions): Promise<CheckedJournal> {
  const { files = processFiles, directory, sync = false, log } = options;
  const aside = new Aside(files, directory, sync);
  for (const isSpared of [isReplicaName, () => false]) {
    try {
      return await openCheckedJournal(options, { checksReplica: true });
    } catch (error) {
      // A disk that is full or fails may take it in a minute; anything else won't change by itself.
      if (isOutOfRoom(error) || isUnreadable(error) || isOthers(error)) throw error;
      log?.warn({ err: error, directory }, 'a journal can not be opened: its files go aside');
      files.release(directory);
      const names = (files.list(directory) ?? []).filter((name) => !isAsideName(name) && !isSpared(name));
      await aside.move(names.map((name) => join(directory, name)));
    }
  }
  return openCheckedJournal(options, { checksReplica: true });
}

function isReplicaName(name: string): boolean {
  return name.startsWith('replica.');
}

/** Another volume's size is no damage of the folder's: nothing of it is touched. */
function isOthers(error: unknown): boolean {
  return error instanceof JournalError && (error.code === 'OUT_OF_RANGE' || error.code === 'SIZE_MISMATCH');
}
