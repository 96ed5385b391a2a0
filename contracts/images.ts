// Image access: a recovery point opened as disks for as long as somebody works with them.
import { z } from 'zod';
import { groupIdSchema, ID_LENGTH_MAX, pointIdSchema, volumeIdSchema } from './ids.js';
import { bytesSchema, countSchema, durationMsSchema, timeMsSchema } from './numbers.js';
import { leftOutSchema } from './point.js';

const HOUR_MS = 3_600_000;
/** Default limit of an open access: a working day. */
export const ACCESS_MS_DEFAULT = 12 * HOUR_MS;
/** Longest limit that may be asked for. An open image keeps history that nothing else needs. */
export const ACCESS_MS_MAX = 7 * 24 * HOUR_MS;
/** Shortest limit. With less the access would end before a client connects. */
export const ACCESS_MS_MIN = 1_000;
/** Longest name or reason, characters: one line for people. */
export const ACCESS_TEXT_LENGTH_MAX = 200;

/** The id of an access. The caller may choose it, so that opening can be repeated. */
export const accessIdSchema = z
  .string()
  .max(ID_LENGTH_MAX, `at most ${ID_LENGTH_MAX} characters`)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-", starting with a letter or digit')
  .brand<'AccessId'>();
export type AccessId = z.infer<typeof accessIdSchema>;

const text = z.string().min(1).max(ACCESS_TEXT_LENGTH_MAX);

export const openAccessInputSchema = z
  .strictObject({
    /**
     * The id for the new access. If an access with this id exists, it is returned as it is. Absent:
     * the appliance makes one up.
     */
    access: accessIdSchema.optional(),
    /** Opens every volume of the group's point. Give this or `volume`. */
    group: groupIdSchema.optional(),
    volume: volumeIdSchema.optional(),
    /** The point to open. Without this and `atMs` it is the newest. */
    point: pointIdSchema.optional(),
    /** Opens the last point, in the order of the timeline, whose time is not later than this. */
    atMs: timeMsSchema.optional(),
    /**
     * Writes go to a scratch, which is discarded when the access ends. The replica is never
     * changed.
     */
    writable: z.boolean().default(false),
    /** The program that asks, with its host. */
    client: text,
    /** The person who asks. */
    operator: text.optional(),
    reason: text.optional(),
    /** Time from opening after which the access is closed automatically. */
    forMs: durationMsSchema.min(ACCESS_MS_MIN).max(ACCESS_MS_MAX).default(ACCESS_MS_DEFAULT),
  })
  .superRefine(({ group, volume, point, atMs }, context) => {
    const refuse = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (group === undefined && volume === undefined) refuse('group', 'give either "group" or "volume"');
    if (group !== undefined && volume !== undefined) refuse('volume', 'give either "group" or "volume", not both');
    if (point !== undefined && atMs !== undefined) refuse('atMs', 'give either "point" or "atMs", not both');
  });
export type OpenAccessInput = z.input<typeof openAccessInputSchema>;
export type ParsedOpenAccessInput = z.output<typeof openAccessInputSchema>;

/**
 * Why an access ended. `closed`: somebody closed it. `idle`: nobody was connected for too long.
 * `age`: its time was up. `restart`: the appliance restarted, so the scratch is gone. `history`:
 * the replica site dropped the history or can't read it.
 */
export const accessEndSchema = z.enum(['closed', 'idle', 'age', 'restart', 'history']);
export type AccessEnd = z.infer<typeof accessEndSchema>;

export const accessExportSchema = z.strictObject({
  volume: volumeIdSchema,
  /** The name of the NBD export. */
  name: z.string(),
  sizeBytes: bytesSchema,
  /** Connections open now. */
  connections: countSchema,
  /** Totals of all connections, open and closed. */
  readBytes: bytesSchema,
  writtenBytes: bytesSchema,
});
export type AccessExport = z.infer<typeof accessExportSchema>;

export const accessSchema = z.strictObject({
  id: accessIdSchema,
  /** The group that was opened; absent when one volume was opened. */
  group: groupIdSchema.optional(),
  point: pointIdSchema,
  /** The point's time, by the splitters' wall clocks. */
  atMs: timeMsSchema,
  /**
   * A sentence about a clock in doubt around the requested time; only for a point found by time.
   */
  clockDoubt: z.string().optional(),
  writable: z.boolean(),
  client: z.string(),
  operator: z.string().optional(),
  reason: z.string().optional(),
  openedAtMs: timeMsSchema,
  exports: z.array(accessExportSchema),
  /** Members of the group that are not in the point. */
  leftOut: z.array(leftOutSchema),
  /**
   * Disk space of the appliance that the scratch takes now, and its limit. Only for a writable
   * access.
   */
  scratch: z.strictObject({ bytes: bytesSchema, bytesMax: bytesSchema }).optional(),
  /** When the open access will be closed if nothing changes, and why. */
  limit: z.strictObject({ atMs: timeMsSchema, why: z.enum(['idle', 'age']) }).optional(),
  /** Sentences about limits that are near; empty when none is. */
  warnings: z.array(z.string()),
  /** Set once the access has ended. */
  ended: z
    .strictObject({
      atMs: timeMsSchema,
      why: accessEndSchema,
      by: z.string().optional(),
      detail: z.string().optional(),
    })
    .optional(),
});
export type Access = z.infer<typeof accessSchema>;
