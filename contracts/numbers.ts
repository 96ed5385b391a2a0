// Numbers that cross a boundary. A name ends in the unit where there is one.
import { z } from 'zod';

const wholeNumber = z.number().int().min(0);

/** A moment: milliseconds since 1970-01-01 UTC, by the clock of the process that stamped it. */
export const timeMsSchema = wholeNumber;
export const durationMsSchema = wholeNumber;
export const bytesSchema = wholeNumber;
export const countSchema = wholeNumber;

/**
 * Ownership number of a volume. Each committed move increases it. The stream carries it in 32 bits.
 */
export const epochSchema = z.number().int().min(1).max(0xffff_ffff);
/**
 * A splitter's life, or the rest of one for a volume that lost its queue. It is persisted and grows
 * by one each time; 0 while none is stored. The stream carries it in 32 bits.
 */
export const sessionSchema = z.number().int().min(0).max(0xffff_ffff);
/** Number of a write within its session: 1, 2, 3 … without gaps. 0 means none yet. */
export const writeNumberSchema = wholeNumber;
/** Place in a volume's lineage: the number of records accepted up to it. */
export const positionSchema = wholeNumber;
/**
 * Number of an attempt, counted across all moves by the replica site. A newer attempt has a higher
 * ticket.
 */
export const ticketSchema = z.number().int().min(1);
