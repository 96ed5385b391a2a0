// A simulator process's configuration from its environment, checked before anything is touched.
import { z } from 'zod';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import { clockAgreesSchema } from '../../control/clock/agrees-after.js';
import { readEstateFile, withoutEmpty } from '../../control/estate-file.js';
import { ID_LENGTH_MAX } from '../../contracts/ids.js';
import { type Access, readAccess } from '../control-server/access.js';
import type { AuditLimits } from '../control-server/audit/audit-files.js';
import { auditAgeSchema, auditBytesSchema, AUDIT_LIMITS_DEFAULT } from '../control-server/audit/audit-limits.js';

export type ProcessRole = 'splitter' | 'appliance' | 'replica-site';

export interface ProcessConfig {
  readonly role: ProcessRole;
  /** The splitter's or appliance's id in the estate; for the replica site only a name. */
  readonly id: string;
  readonly estate: Estate;
  /** Path of the estate file; absent where a program gives the estate itself. */
  readonly estateFile?: string | undefined;
  /** The process's own folder; no other process may use it. */
  readonly dataFolder: string;
  /** Who gets in, and what the process shows others. Default: anybody of this machine; nothing. */
  readonly access?: Access | undefined;
  readonly auditLimits?: AuditLimits | undefined;
  /** Folder of the certificates that NBD is served with over TLS. */
  readonly nbdTls?: string | undefined;
  readonly logLevel: string;
  /** Whether stored state must also survive a power loss. */
  readonly sync: boolean;
  /** Whether faults may be injected. */
  readonly faults: boolean;
  /** Whether numbered writes are traced to files. */
  readonly trace: boolean;
  /** How long wall clock and monotonic time must agree for trust, ms; 5 min when absent. */
  readonly clockAgreesAfterMs?: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const flag = z
  .enum(['0', '1'], { error: '"1" for yes, "0" or nothing for no' })
  .default('0')
  .transform((text) => text === '1');
const text = z.string({ error: 'must be set' }).min(1, 'must not be empty');

const environmentSchema = z.object({
  VOLUME_MOVER_ESTATE: text,
  VOLUME_MOVER_ID: text.max(ID_LENGTH_MAX).optional(),
  VOLUME_MOVER_DATA: text,
  VOLUME_MOVER_NBD_TLS: text.optional(),
  VOLUME_MOVER_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  VOLUME_MOVER_SYNC: flag,
  VOLUME_MOVER_FAULTS: flag,
  VOLUME_MOVER_TRACE: flag,
  VOLUME_MOVER_CLOCK_AGREES_S: clockAgreesSchema.optional(),
  VOLUME_MOVER_AUDIT_MIB: auditBytesSchema.default(AUDIT_LIMITS_DEFAULT.bytesMax),
  VOLUME_MOVER_AUDIT_DAYS: auditAgeSchema.default(AUDIT_LIMITS_DEFAULT.ageMsMax),
});

/**
 * Reads the configuration.
 * @throws MoverError INVALID_REQUEST naming every wrong variable, or every wrong field of the
 * estate file
 */
export function readProcessConfig(role: ProcessRole, environment: Environment = process.env): ProcessConfig {
  const given = withoutEmpty(environment);
  const read = parseOrRefuse(environmentSchema, given, 'environment');
  const estate = readEstateFile(read.VOLUME_MOVER_ESTATE);
  return {
    role,
    id: idOf(role, read.VOLUME_MOVER_ID, estate),
    estate,
    estateFile: read.VOLUME_MOVER_ESTATE,
    dataFolder: read.VOLUME_MOVER_DATA,
    access: readAccess(given),
    auditLimits: { bytesMax: read.VOLUME_MOVER_AUDIT_MIB, ageMsMax: read.VOLUME_MOVER_AUDIT_DAYS },
    nbdTls: read.VOLUME_MOVER_NBD_TLS,
    logLevel: read.VOLUME_MOVER_LOG_LEVEL,
    sync: read.VOLUME_MOVER_SYNC,
    faults: read.VOLUME_MOVER_FAULTS,
    trace: read.VOLUME_MOVER_TRACE,
    clockAgreesAfterMs: read.VOLUME_MOVER_CLOCK_AGREES_S,
  };
}

function idOf(role: ProcessRole, given: string | undefined, estate: Estate): string {
  if (role === 'replica-site') return given ?? 'replica-site';
  const known: readonly string[] = (role === 'splitter' ? estate.splitters : estate.appliances).map(({ id }) => id);
  if (given !== undefined && known.includes(given)) return given;
  const message =
    given === undefined
      ? `must be set to one of: ${known.join(', ')}`
      : `there is no ${role} "${given}" in the estate file; it has: ${known.join(', ')}`;
  throw new MoverError('INVALID_REQUEST', `VOLUME_MOVER_ID ${message}`, {
    reasons: [{ code: 'INVALID_REQUEST', subject: 'VOLUME_MOVER_ID', message }],
  });
}
