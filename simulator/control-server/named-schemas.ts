// The contract's schemas that get a name in the OpenAPI documents: a vendor's generated code has
// one type for each.
import { z } from 'zod';
import { applianceGroupSchema, linkSchema } from '../../contracts/appliance-api.js';
import {
  attemptRecordSchema,
  attemptRefSchema,
  attemptVolumeSchema,
  cutSchema,
  endpointSchema,
  sealSchema,
  ticketedAttemptSchema,
  writeMarkSchema,
} from '../../contracts/attempt.js';
import { auditEntrySchema } from '../../contracts/audit.js';
import { problemSchema, reasonSchema } from '../../contracts/errors.js';
import { healthSchema, readinessSchema } from '../../contracts/health.js';
import { accessExportSchema, accessSchema } from '../../contracts/images.js';
import {
  bookmarkSchema,
  holeSchema,
  leftOutSchema,
  pointMemberSchema,
  recoveryPointSchema,
} from '../../contracts/point.js';
import { drainProgressSchema, siteGroupSchema, siteVolumeSchema } from '../../contracts/replica-site-api.js';
import { fenceSchema, splitterVolumeSchema } from '../../contracts/splitter-api.js';

/** The named schemas. No name may be another's plus "Input": its request variant has that name. */
export const namedSchemas = z.registry<{ id: string }>();

for (const [id, schema] of Object.entries({
  Health: healthSchema,
  Readiness: readinessSchema,
  Problem: problemSchema,
  Reason: reasonSchema,
  AttemptRef: attemptRefSchema,
  TicketedAttempt: ticketedAttemptSchema,
  AttemptVolume: attemptVolumeSchema,
  AttemptRecord: attemptRecordSchema,
  WriteMark: writeMarkSchema,
  Cut: cutSchema,
  Seal: sealSchema,
  Fence: fenceSchema,
  Endpoint: endpointSchema,
  RecoveryPoint: recoveryPointSchema,
  PointMember: pointMemberSchema,
  LeftOut: leftOutSchema,
  Bookmark: bookmarkSchema,
  Hole: holeSchema,
  SplitterVolume: splitterVolumeSchema,
  SiteVolume: siteVolumeSchema,
  SiteGroup: siteGroupSchema,
  ApplianceGroup: applianceGroupSchema,
  DrainProgress: drainProgressSchema,
  Link: linkSchema,
  Access: accessSchema,
  AccessExport: accessExportSchema,
  AuditEntry: auditEntrySchema,
})) {
  namedSchemas.add(schema, { id });
}
