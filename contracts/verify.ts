// Verifying online: what compares a volume at its source with its replica at one common point,
// while the guest goes on writing.
import { z } from 'zod';
import { writeMarkSchema } from './attempt.js';
import { volumeIdSchema } from './ids.js';
import { bytesSchema, countSchema, durationMsSchema, positionSchema, timeMsSchema } from './numbers.js';
import { operation } from './route.js';

const MIB = 1024 * 1024;

/**
 * What is compared, and named when it differs: the splitter's region of marks. The last one of a
 * volume may be shorter.
 */
export const VERIFY_REGION_BYTES = 64 * 1024;
/** Regions in one call: 32 MiB, what a disk of 100 MB/s reads well within a call's time limit. */
export const DIGESTS_PER_CALL_MAX = 512;
/** Default rate: a fifth of what one processor can digest, so that guests find the rest. */
export const VERIFY_BYTES_PER_SECOND_DEFAULT = 200 * MIB;
/** Slowest rate: one region a second, which is what keeps a scan's lease alive. */
const BYTES_PER_SECOND_MIN = VERIFY_REGION_BYTES;
const BYTES_PER_SECOND_MAX = 100 * 1024 * MIB;
/** Shortest and longest lease of a scan. */
const SCAN_LEASE_MS_MIN = 100;
const SCAN_LEASE_MS_MAX = 600_000;
/**
 * Longest wait of the replica site for a mark to be applied, in one call: within a call's time
 * limit.
 */
export const MARK_WAIT_MS_MAX = 8_000;
/** Ranges that a report lists; there may be more, which are counted. */
export const MISMATCHES_LISTED_MAX = 100;
/**
 * Common points of one verification: an estate that loses one after the other ends in an answer.
 */
export const VERIFY_POINTS_MAX = 200;

/** Chosen by the caller, so that opening can be repeated. */
export const scanIdSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces');

/**
 * SHA-256 of a region's bytes in base64url; the empty string when all of them are zero, so that
 * sparse volumes cost little.
 */
const SHA256_BASE64URL_LENGTH = 43;
const digestSchema = z.string().max(SHA256_BASE64URL_LENGTH);

const regionsInput = {
  from: countSchema,
  count: z.number().int().min(1).max(DIGESTS_PER_CALL_MAX),
};

/** The source's side, at the splitter. */
export const verifySourceApi = {
  openScan: operation({
    method: 'POST',
    path: '/v1/scans/open',
    summary:
      'Fix the volume’s content as of now, for comparing: the mark is the newest numbered write. Nothing is copied; a write that is about to change a region has its digest taken first. Called again with the same id, the answer is the same. Refused (NOT_SYNCED) while writes are known by marks only, (SOURCE_UNREADABLE) while some can’t be sent again because the source can’t be read there, (SCAN_BUSY) while another scan of the volume is open.',
    input: z.strictObject({
      volume: volumeIdSchema,
      scan: scanIdSchema,
      /** Closed by itself when nobody reads for so long. */
      leaseMs: durationMsSchema.min(SCAN_LEASE_MS_MIN).max(SCAN_LEASE_MS_MAX),
    }),
    output: z.strictObject({
      scan: scanIdSchema,
      mark: writeMarkSchema,
      sizeBytes: bytesSchema,
      regions: countSchema,
      regionBytes: z.literal(VERIFY_REGION_BYTES),
      atMs: timeMsSchema,
    }),
  }),
  readScan: operation({
    method: 'POST',
    path: '/v1/scans/read',
    summary:
      'Digests of regions as of the scan’s mark; renews the lease. Repeated, the answer is the same. Digests far behind what was read last are let go (SCAN_NOT_FOUND). Null for a region that can’t be read.',
    input: z.strictObject({ scan: scanIdSchema, ...regionsInput }),
    output: z.strictObject({ digests: z.array(digestSchema.nullable()).max(DIGESTS_PER_CALL_MAX) }),
  }),
  closeScan: operation({
    method: 'POST',
    path: '/v1/scans/close',
    summary: 'Close a scan. Closing it again is no error.',
    input: z.strictObject({ scan: scanIdSchema }),
    output: z.strictObject({}),
  }),
} as const;

/**
 * The replica's side, at the replica site and passed on by every appliance: only digests cross the
 * link.
 */
export const verifyReplicaApi = {
  openMarkImage: operation({
    method: 'POST',
    path: '/v1/verify/images/open',
    summary:
      'Open the replica as of a mark in the splitter’s numbering, once that is applied. Refused (POINT_UNAVAILABLE) when it is not within the wait, (NOT_SYNCED) when the mark is inside a short initialization.',
    input: z.strictObject({
      volume: volumeIdSchema,
      mark: writeMarkSchema,
      waitMs: durationMsSchema.max(MARK_WAIT_MS_MAX),
      client: z.string().max(200),
      /**
       * Also when the mark is inside a short initialization: the image is the replica as it stood,
       * no state of the guest's disk.
       */
      evenInHole: z.boolean().default(false),
    }),
    output: z.strictObject({ image: z.string(), sizeBytes: bytesSchema, position: positionSchema }),
  }),
  digestImage: operation({
    method: 'POST',
    path: '/v1/verify/images/digest',
    summary:
      'Digests of regions of an image that was opened at a mark; null for a region that fails its own checksum there.',
    input: z.strictObject({ image: z.string(), ...regionsInput }),
    output: z.strictObject({ digests: z.array(digestSchema.nullable()).max(DIGESTS_PER_CALL_MAX) }),
  }),
  closeMarkImage: operation({
    method: 'POST',
    path: '/v1/verify/images/close',
    summary: 'Close an image that was opened at a mark. Closing it again is no error.',
    input: z.strictObject({ image: z.string() }),
    output: z.strictObject({}),
  }),
} as const;

/** `{ "volume": "vm-17-disk-0" }` is enough. */
export const verifyInputSchema = z.strictObject({
  volume: volumeIdSchema,
  /**
   * Bytes of the volume compared in a second at most; regions that are zero on both sides count for
   * a sixteenth.
   */
  bytesPerSecond: z
    .number()
    .int()
    .min(BYTES_PER_SECOND_MIN)
    .max(BYTES_PER_SECOND_MAX)
    .default(VERIFY_BYTES_PER_SECOND_DEFAULT),
  /** Who asked, and why: kept in the workflow's input. */
  operator: z.string().max(200).optional(),
  reason: z.string().max(1_000).optional(),
});
export type VerifyInput = z.input<typeof verifyInputSchema>;
export type ParsedVerifyInput = z.output<typeof verifyInputSchema>;

/**
 * `differs`: the replica's own checksums hold, it is as it was written, so the source or the way
 * there is at fault. `replica-checksum`: what the replica site stored fails its own checksum.
 * `source-unreadable`: the source's disk failed there, so that nothing was compared.
 */
export const mismatchSchema = z.strictObject({
  offset: bytesSchema,
  length: bytesSchema,
  fault: z.enum(['differs', 'replica-checksum', 'source-unreadable']),
});
export type Mismatch = z.infer<typeof mismatchSchema>;

/**
 * One instant at which both sides were compared, for the regions from `fromRegion` up to, not with,
 * `toRegion`.
 */
export const commonPointSchema = z.strictObject({
  atMs: timeMsSchema,
  ...writeMarkSchema.shape,
  fromRegion: countSchema,
  toRegion: countSchema,
});

/** How far a verification has come: its heartbeat, from which another worker goes on. */
export const verifyHeartbeatSchema = z.strictObject({
  startedAtMs: timeMsSchema,
  sizeBytes: bytesSchema,
  regions: countSchema,
  nextRegion: countSchema,
  mismatchedRegions: countSchema,
  mismatches: z.array(mismatchSchema).max(MISMATCHES_LISTED_MAX),
  points: z.array(commonPointSchema).max(VERIFY_POINTS_MAX),
  /** Common points tried so far: the next one needs another name. */
  openings: countSchema,
  /** What is open on both sides now. */
  open: z.strictObject({ scan: scanIdSchema, mark: writeMarkSchema, image: z.string() }).optional(),
});
export type VerifyHeartbeat = z.infer<typeof verifyHeartbeatSchema>;

export const verifyReportSchema = z.strictObject({
  volume: volumeIdSchema,
  sizeBytes: bytesSchema,
  regions: countSchema,
  /** Ranges that differ, merged, the first {@link MISMATCHES_LISTED_MAX}. */
  mismatches: z.array(mismatchSchema).max(MISMATCHES_LISTED_MAX),
  mismatchedRegions: countSchema,
  points: z.array(commonPointSchema).max(VERIFY_POINTS_MAX),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** The limit that was in force. */
  bytesPerSecond: bytesSchema,
});
export type VerifyReport = z.infer<typeof verifyReportSchema>;

/** What the query `progress` answers; how many regions are done is in the activity's heartbeat. */
export const verifyProgressSchema = z.strictObject({
  volume: volumeIdSchema,
  stage: z.enum(['verifying', 'done', 'failed']),
  bytesPerSecond: bytesSchema,
  startedAtMs: timeMsSchema,
  /** Once it is done, also when it found mismatches. */
  report: verifyReportSchema.optional(),
});
export type VerifyProgress = z.infer<typeof verifyProgressSchema>;

/** What a move's report keeps of the verification of one of its volumes. */
export const verifiedVolumeSchema = verifyReportSchema.pick({
  volume: true,
  sizeBytes: true,
  regions: true,
  points: true,
  startedAtMs: true,
  endedAtMs: true,
});
export type VerifiedVolume = z.infer<typeof verifiedVolumeSchema>;
