// Limits of what one volume and its streams may cost the replica site.

/**
 * Most bytes of a volume that are taken in but not applied yet; beyond it no credit is granted. A
 * replica that can't keep up pushes back on its own volume's splitter instead of filling the disk
 * with DO. It lets a guest write at twice the pace of distribution for several seconds. One record
 * may exceed it.
 */
export const UNAPPLIED_BYTES_MAX = 512 * 1024 * 1024;
/**
 * Most bytes of a volume that are on the way or not durable yet, so in memory: as many as a fast
 * link carries while a busy process answers. One record may exceed it.
 */
export const WINDOW_BYTES_MAX = 32 * 1024 * 1024;
/**
 * Free bytes needed before a volume that found its disk full is tried again: a few groups of
 * records with their UNDO.
 */
export const ROOM_BYTES_MIN = 4 * 1024 * 1024;
