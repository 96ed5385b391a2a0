// What one volume and its streams may cost the replica site.

/**
 * Bytes of a volume that are taken in but not applied yet, above which its streams are no longer read: a replica that can't keep up
 * pushes back on the splitter instead of filling the disk with DO.
 */
export const UNAPPLIED_BYTES_MAX = 256 * 1024 * 1024;
/** Below this part of the limit reading goes on: apart enough that it does not stop again at once. */
export const UNAPPLIED_RESUME_PART = 0.5;
/** Free bytes from which on a volume that found its disk full is tried again: a few groups of records with their UNDO. */
export const ROOM_BYTES_MIN = 4 * 1024 * 1024;
