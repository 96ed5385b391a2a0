// The audit of a process: who called which operation about what, and how it ended.
import { z } from 'zod';
import { errorCodeSchema } from './errors.js';
import { countSchema, timeMsSchema } from './numbers.js';
import { roleSchema } from './roles.js';
import { operation } from './route.js';

/** Entries in one page: about 250 KB of JSON. */
export const AUDIT_PAGE_MAX = 1_000;
/** Longest text of an entry that a caller chooses, characters. Longer ones are cut. */
export const AUDIT_TEXT_LENGTH_MAX = 200;
/** Names listed under one key, as many as a move has volumes. More are left out. */
export const AUDIT_NAMES_MAX = 64;

const text = z.string().max(AUDIT_TEXT_LENGTH_MAX);

export const auditEntrySchema = z.strictObject({
  /** Number of the entry in its process's audit; grows by one. */
  seq: countSchema,
  /** The process's wall clock when the call had ended. */
  atMs: timeMsSchema,
  /** The caller's name; `-` for one that was not known. */
  caller: text,
  roles: z.array(roleSchema),
  /** The address that the call came from. */
  from: text,
  /** Name of the operation in the API's table; `stream`; or method and path of an unknown one. */
  operation: text,
  /** Names in the call: volume, volumes, group, from, to, attempt, point and the like. */
  about: z.record(text, z.union([text, z.array(text).max(AUDIT_NAMES_MAX)])),
  /** `OK`, or the code of the error that was answered. */
  outcome: z.union([z.literal('OK'), errorCodeSchema]),
  /** Set for an entry that stands for later calls of the same kind: how many. */
  times: countSchema.optional(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** The operation that every control server has, and answers itself. */
export const auditOperation = operation({
  method: 'GET',
  path: '/v1/audit',
  roles: ['admin'],
  summary:
    'Who called which operation about what, and how it ended, newest first: calls that change something, streams, and all whose caller was refused.',
  input: z.strictObject({
    /** Only entries from this time on, by the process's clock. */
    sinceMs: z.coerce.number().int().min(0).optional(),
    /** Only entries with a lower number: `next` of the page before. */
    before: z.coerce.number().int().min(0).optional(),
    limit: z.coerce.number().int().min(1).max(AUDIT_PAGE_MAX).default(AUDIT_PAGE_MAX),
  }),
  output: z.strictObject({
    /** The process that keeps this audit. @example "appliance appliance-1" */
    process: z.string(),
    entries: z.array(auditEntrySchema),
    /** Set when there may be more. */
    next: countSchema.optional(),
  }),
});
