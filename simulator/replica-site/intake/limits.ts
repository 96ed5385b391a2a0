// What one volume and its streams may cost the replica site.

/**
 * Bytes of a volume that are taken in but not applied yet, above which nothing more of it is
 * granted: a replica that can't keep up pushes back on its own volume's splitter instead of filling
 * the disk with DO. One record may exceed it.
 */
export const UNAPPLIED_BYTES_MAX = 256 * 1024 * 1024;
/**
 * Bytes of a volume that may be on their way or not durable yet, and so in memory: what a fast link
 * carries in the time in which a busy process answers. One record may exceed it.
 */
export const WINDOW_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Free bytes from which on a volume that found its disk full is tried again: a few groups of
 * records with their UNDO.
 */
export const ROOM_BYTES_MIN = 4 * 1024 * 1024;
