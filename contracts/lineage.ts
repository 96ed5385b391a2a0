// By what the two ends of replication tell whether they speak of the same history: random
// identities that nobody else has.
import { z } from 'zod';
import { applianceIdSchema, groupIdSchema } from './ids.js';
import { epochSchema, positionSchema, sessionSchema } from './numbers.js';

const identity = z.string().regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits');

/**
 * One history of a volume: within it a position stands for one record for ever. Made by the replica
 * site.
 */
export const lineageIdSchema = identity.brand<'LineageId'>();
export type LineageId = z.infer<typeof lineageIdSchema>;
/**
 * One disk that guests write: made by the splitter with the volume, and anew for a disk that takes
 * its place.
 */
export const sourceIdSchema = identity.brand<'SourceId'>();
export type SourceId = z.infer<typeof sourceIdSchema>;
/**
 * One life of a splitter process. A session number can come back with an older copy of its folder;
 * a life can't.
 */
export const lifeIdSchema = identity.brand<'LifeId'>();
export type LifeId = z.infer<typeof lifeIdSchema>;

/**
 * How far a lineage is known to be durable at the replica site: stored by the splitter before it
 * clears the marks that rest on it.
 */
export const confirmedSchema = z.strictObject({ lineage: lineageIdSchema, position: positionSchema });
export type Confirmed = z.infer<typeof confirmedSchema>;

/**
 * What a splitter has to change before a refused attachment can succeed: what the replica site
 * knows better.
 */
export const adviceSchema = z.strictObject({
  /** Sessions below were used by other lives. */
  sessionMin: sessionSchema.optional(),
  /** Who owns the volume. */
  owner: z.strictObject({ group: groupIdSchema, appliance: applianceIdSchema, epoch: epochSchema }).optional(),
  /**
   * The history that is there, and how far it goes: not the one that the splitter confirmed, or not
   * as far.
   */
  lineage: confirmedSchema.optional(),
});
export type Advice = z.infer<typeof adviceSchema>;
