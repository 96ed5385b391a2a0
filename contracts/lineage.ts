// Random, unique identities by which the two ends of replication tell whether they share one
// history.
import { z } from 'zod';
import { applianceIdSchema, groupIdSchema } from './ids.js';
import { epochSchema, positionSchema, sessionSchema } from './numbers.js';

const identity = z.string().regex(/^[0-9a-f]{32}$/, '32 hexadecimal digits');

/**
 * One history of a volume. Within it a position always stands for the same record. The replica site
 * makes it.
 */
export const lineageIdSchema = identity.brand<'LineageId'>();
export type LineageId = z.infer<typeof lineageIdSchema>;
/**
 * One disk that guests write. The splitter makes the identity with the volume, and a new one for a
 * disk that replaces it.
 */
export const sourceIdSchema = identity.brand<'SourceId'>();
export type SourceId = z.infer<typeof sourceIdSchema>;
/**
 * One life of a splitter process. A session number can return with an older copy of its folder; a
 * life can't.
 */
export const lifeIdSchema = identity.brand<'LifeId'>();
export type LifeId = z.infer<typeof lifeIdSchema>;

/**
 * How far a lineage is known to be durable at the replica site. The splitter stores it before it
 * clears the marks that depend on it.
 */
export const confirmedSchema = z.strictObject({
  lineage: lineageIdSchema,
  position: positionSchema,
  /**
   * The life that sent the record at the position; absent when another life of the splitter did.
   * When both ends are put back, positions of the lineage come again, sent by another life.
   */
  life: lifeIdSchema.optional(),
});
export type Confirmed = z.infer<typeof confirmedSchema>;

/**
 * What a splitter must change before a refused attachment can succeed; the replica site knows
 * better.
 */
export const adviceSchema = z.strictObject({
  /** The lowest free session number. Other lives used those below it. */
  sessionMin: sessionSchema.optional(),
  /** The owner of the volume. */
  owner: z.strictObject({ group: groupIdSchema, appliance: applianceIdSchema, epoch: epochSchema }).optional(),
  /**
   * The lineage at the replica site and how far it goes, when it is not the one that the splitter
   * confirmed or ends earlier.
   */
  lineage: confirmedSchema.optional(),
});
export type Advice = z.infer<typeof adviceSchema>;
