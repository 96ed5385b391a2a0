// Makes a journal usable whatever lies in its folder. Files that can't be used go aside, sound ones
// are kept and checked whole, and a new lineage begins. After a kill at any step the next rebuild,
// or opening, continues with what is there.
import { join } from 'node:path';
import { isOutOfRoom } from '../../store/storage-failure.js';
import { Aside, isAsideName } from './files/aside.js';
import { JournalError } from './terms/errors.js';
import { processFiles } from './files/node-files.js';
import type { JournalOptions } from './terms/types.js';
import { GivingUp, isUnreadable } from './files/unreadable.js';
import { openCheckedJournal } from './volume-journal.js';
import type { CheckedJournal } from './volume-journal.js';

/** Reason of a rebuilt journal's new lineage: nobody knows what happened to its files. */
const REASON = 'the journal was rebuilt';

/**
 * Rebuilds the journal of a folder that no other journal has open, and returns it opened. Reads all
 * of the replica image and of UNDO once; what the disk refuses to read counts as damaged. The
 * journal's `toResend` and `damage` tell what must be sent again and what is lost.
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
 * Opens the journal. If that fails, moves everything but the replica image aside and tries again;
 * then moves the replica image aside too.
 */
async function openAnyway(options: JournalOptions): Promise<CheckedJournal> {
  const { files = processFiles, directory, sync = false, log } = options;
  const aside = new Aside(files, directory, sync);
  for (const isKept of [isReplicaName, () => false]) {
    try {
      return await openCheckedJournal(options, { checksReplica: true });
    } catch (error) {
      // A full or failing disk may recover by itself: nothing is moved aside for it.
      if (isOutOfRoom(error) || isUnreadable(error) || isMismatch(error)) throw error;
      log?.warn({ err: error, directory }, "a journal can't be opened: its files go aside");
      files.release(directory);
      const names = (files.list(directory) ?? []).filter((name) => !isAsideName(name) && !isKept(name));
      await aside.move(names.map((name) => join(directory, name)));
    }
  }
  return openCheckedJournal(options, { checksReplica: true });
}

function isReplicaName(name: string): boolean {
  return name.startsWith('replica.');
}

/** Whether the caller's options don't fit the folder (another volume's size): that is no damage. */
function isMismatch(error: unknown): boolean {
  return error instanceof JournalError && (error.code === 'OUT_OF_RANGE' || error.code === 'SIZE_MISMATCH');
}
