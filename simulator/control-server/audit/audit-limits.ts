// Reads from the environment how much of an audit is kept, and how long.
import { z } from 'zod';
import type { AuditLimits } from './audit-files.js';

const MIB = 1024 * 1024;
const DAY_MS = 24 * 60 * 60_000;
/** Room for about 250,000 entries: a year of a busy estate, whose moves make ten calls each. */
export const AUDIT_LIMITS_DEFAULT: AuditLimits = { bytesMax: 64 * MIB, ageMsMax: 400 * DAY_MS };
/** One gibibyte: a listing reads all of it when nothing limits it. */
const MIB_MAX = 1_024;
const DAYS_MAX = 3_650;

function wholeNumber(what: string, max: number) {
  const rule = `${what}, 1 to ${max}`;
  return z.string().regex(/^\d+$/, rule).transform(Number).pipe(z.number().int().min(1, rule).max(max, rule));
}

/** The text of VOLUME_MOVER_AUDIT_MIB. @returns bytes */
export const auditBytesSchema = wholeNumber('whole MiB', MIB_MAX).transform((mib) => mib * MIB);
/** The text of VOLUME_MOVER_AUDIT_DAYS. @returns milliseconds */
export const auditAgeSchema = wholeNumber('whole days', DAYS_MAX).transform((days) => days * DAY_MS);
