// Numbers that cross a boundary, each with its unit in its name where it has one.
import { z } from 'zod';

const wholeNumber = z.number().int().min(0);

/** A moment: milliseconds since 1970-01-01 UTC, by the clock of the process that stamped it. */
export const timeMsSchema = wholeNumber;
export const durationMsSchema = wholeNumber;
export const bytesSchema = wholeNumber;
export const countSchema = wholeNumber;

/**
 * Ownership number of a volume; grows by one with each committed move. Carried in 32 bits on the
 * stream.
 */
export const epochSchema = z.number().int().min(1).max(0xffff_ffff);
/**
 * A splitter's life, or the rest of one for a volume that lost its queue: persisted, and grown by
 * one each time. 0 while none is stored. Carried in 32 bits on the stream.
 */
export const sessionSchema = z.number().int().min(0).max(0xffff_ffff);
/** Number of a write within its session: 1, 2, 3 … without gaps; 0 means none yet. */
export const writeNumberSchema = wholeNumber;
/** Place in a volume's lineage: the count of records accepted in its whole life. */
export const positionSchema = wholeNumber;
/**
 * Grows with every attempt the replica site opens: tells a newer attempt from an older one, of any
 * move.
 */
export const ticketSchema = z.number().int().min(1);
