// Image access: recovery points opened as disks for as long as somebody works with them, and what
// is told of each.
import { z } from 'zod';
import { groupIdSchema, ID_LENGTH_MAX, pointIdSchema, volumeIdSchema } from './ids.js';
import { bytesSchema, countSchema, durationMsSchema, timeMsSchema } from './numbers.js';
import { leftOutSchema } from './point.js';

const HOUR_MS = 3_600_000;
/** How long an access stays open at most unless asked for otherwise: a working day. */
export const ACCESS_MS_DEFAULT = 12 * HOUR_MS;
/** Longest time that may be asked for: an open image keeps history that nothing else needs. */
export const ACCESS_MS_MAX = 7 * 24 * HOUR_MS;
/** Shortest: less would be over before a client has connected. */
export const ACCESS_MS_MIN = 1_000;
/** Characters of a name or a reason at most: a line for people. */
export const ACCESS_TEXT_LENGTH_MAX = 200;

/** An access. The caller may choose it, so that opening can be repeated. */
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
     * The id to give to it: called again with the same one, the access is returned as it is.
     * Absent: one is made up.
     */
    access: accessIdSchema.optional(),
    /** Every volume of the group's point; else `volume`. */
    group: groupIdSchema.optional(),
    volume: volumeIdSchema.optional(),
    /** Which point; with neither this nor `atMs` the newest. */
    point: pointIdSchema.optional(),
    /** The last point, in the order of the timeline, whose time is not later than this. */
    atMs: timeMsSchema.optional(),
    /**
     * Writes go to a scratch that is thrown away when the access ends; the replica is never
     * touched.
     */
    writable: z.boolean().default(false),
    /** Who asks: a program, with the host it runs on. */
    client: text,
    /** For whom: a person. */
    operator: text.optional(),
    reason: text.optional(),
    /** When it is closed by itself, counted from its opening. */
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
 * Why an access ended: somebody closed it; nobody was connected for too long; its time was up; the
 * appliance was restarted and the scratch is gone; the replica site let go of its history, or can't
 * read it.
 */
export const accessEndSchema = z.enum(['closed', 'idle', 'age', 'restart', 'history']);
export type AccessEnd = z.infer<typeof accessEndSchema>;

export const accessExportSchema = z.strictObject({
  volume: volumeIdSchema,
  /** The name of the NBD export. */
  name: z.string(),
  sizeBytes: bytesSchema,
  /** Connections now. */
  connections: countSchema,
  /** By all clients that have left, and those that are connected. */
  readBytes: bytesSchema,
  writtenBytes: bytesSchema,
});
export type AccessExport = z.infer<typeof accessExportSchema>;

export const accessSchema = z.strictObject({
  id: accessIdSchema,
  /** The group whose volumes it has; absent for that of one volume. */
  group: groupIdSchema.optional(),
  point: pointIdSchema,
  /** The point's time, by the splitters' wall clocks. */
  atMs: timeMsSchema,
  /** A sentence, if the point was looked for by a time and a clock was in doubt thereabouts. */
  clockDoubt: z.string().optional(),
  writable: z.boolean(),
  client: z.string(),
  operator: z.string().optional(),
  reason: z.string().optional(),
  openedAtMs: timeMsSchema,
  exports: z.array(accessExportSchema),
  /** Members of the group that the point does not contain. */
  leftOut: z.array(leftOutSchema),
  /**
   * What its writes take up of the appliance's disk now, and the most that they may. Of a writable
   * one.
   */
  scratch: z.strictObject({ bytes: bytesSchema, bytesMax: bytesSchema }).optional(),
  /** When it is closed by itself if nothing changes, and why then. Of an open one. */
  limit: z.strictObject({ atMs: timeMsSchema, why: z.enum(['idle', 'age']) }).optional(),
  /** Sentences about what is near a limit; empty when nothing is. */
  warnings: z.array(z.string()),
  /** Absent while it is open. */
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
