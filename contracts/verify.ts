// Online verification: compares a volume's source with its replica at one common point while the
// guest writes.
import { z } from 'zod';
import { writeMarkSchema } from './attempt.js';
import { volumeIdSchema } from './ids.js';
import { bytesSchema, countSchema, durationMsSchema, positionSchema, timeMsSchema } from './numbers.js';
import { operation } from './route.js';

const MIB = 1024 * 1024;

/**
 * Unit of comparison and of reported differences: the splitter's region of marks. A volume's last
 * region may be shorter.
 */
export const VERIFY_REGION_BYTES = 64 * 1024;
/** Digests in one answer: those of 128 MiB, in 50 KB of text. */
export const DIGESTS_PER_CALL_MAX = 2_048;
/** Regions that one call may ask about: all of a volume of 64 TiB. */
const REGIONS_PER_CALL_MAX = 1024 * 1024 * 1024;
/**
 * How long a side collects digests for one answer, ms. A slow disk then gives short answers, far
 * within a call's time limit.
 */
export const DIGESTS_WITHIN_MS = 1_000;
/** Default rate: a small part of what one processor can digest, which leaves the rest to guests. */
export const VERIFY_BYTES_PER_SECOND_DEFAULT = 200 * MIB;
/** Slowest rate: one region a second, enough to keep a scan's lease alive. */
const BYTES_PER_SECOND_MIN = VERIFY_REGION_BYTES;
const BYTES_PER_SECOND_MAX = 100 * 1024 * MIB;
/** Shortest and longest lease of a scan. */
const SCAN_LEASE_MS_MIN = 100;
const SCAN_LEASE_MS_MAX = 600_000;
/**
 * Longest wait for a mark to be applied at the replica site, in one call. It is shorter than a
 * call's time limit.
 */
export const MARK_WAIT_MS_MAX = 8_000;
/** Ranges that a report lists. More may exist; they are counted. */
export const MISMATCHES_LISTED_MAX = 100;
/** Common points of one verification. The limit ends a verification that loses every point. */
export const VERIFY_POINTS_MAX = 200;

/** Id of a scan. The caller chooses it, so that opening can be repeated. */
export const scanIdSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces');

/**
 * The key of a comparison's digests: 256 bits in base64url, chosen at random once the contents that
 * are compared are fixed.
 */
export const digestKeySchema = z.string().regex(/^[\w-]{43}$/, '32 bytes in base64url');

/** A region's digest: AES-256-GMAC under the comparison's key, in base64url. */
const digestSchema = z.string().regex(/^([\w-]{22})?$/, '16 bytes in base64url, or nothing');

/**
 * What a side says of regions that follow one another: one region's digest; "" for one that was
 * read and is all zeroes; null for one that can't be read; or how many regions are holes, which
 * nobody had to read.
 */
const digestRunSchema = z.union([digestSchema, z.null(), z.number().int().min(1).max(REGIONS_PER_CALL_MAX)]);
export type DigestRun = z.infer<typeof digestRunSchema>;

const digestsOutput = z.strictObject({
  /** How many regions the answer is about: the first ones asked about, at least one. */
  regions: countSchema.min(1),
  digests: z.array(digestRunSchema).max(DIGESTS_PER_CALL_MAX),
});

const regionsInput = {
  from: countSchema,
  count: z.number().int().min(1).max(REGIONS_PER_CALL_MAX),
  /** Most entries of the answer. */
  digestsMax: z.number().int().min(1).max(DIGESTS_PER_CALL_MAX).default(DIGESTS_PER_CALL_MAX),
};

/** The source's side. The splitter implements it. */
export const verifySourceApi = {
  openScan: operation({
    method: 'POST',
    path: '/v1/scans/open',
    roles: ['move'],
    routine: true,
    summary:
      'Fix the volume’s content as of now, for comparing: the mark is the newest numbered write. Nothing is copied; a write that is about to change a region has its digest taken first. Called again with the same id, the answer is the same. Refused (NOT_SYNCED) while writes are known by marks only, (SOURCE_UNREADABLE) while some can’t be sent again because the source can’t be read there, (SCAN_BUSY) while another scan of the volume is open.',
    input: z.strictObject({
      volume: volumeIdSchema,
      scan: scanIdSchema,
      /** The scan closes itself after this time without a read. */
      leaseMs: durationMsSchema.min(SCAN_LEASE_MS_MIN).max(SCAN_LEASE_MS_MAX),
    }),
    output: z.strictObject({
      scan: scanIdSchema,
      mark: writeMarkSchema,
      sizeBytes: bytesSchema,
      regions: countSchema,
      regionBytes: z.literal(VERIFY_REGION_BYTES),
      atMs: timeMsSchema,
      /** The key that the replica’s side must use, too. */
      key: digestKeySchema,
    }),
  }),
  readScan: operation({
    method: 'POST',
    path: '/v1/scans/read',
    roles: ['move'],
    routine: true,
    summary:
      'Digests of regions as of the scan’s mark, from the first one asked for: as many as one answer has; renews the lease. A number stands for as many regions that are holes, an empty text for a region of zeroes, null for one that can’t be read. Asked again, the digests are the same. Those far behind what was read last are let go (SCAN_NOT_FOUND).',
    input: z.strictObject({ scan: scanIdSchema, ...regionsInput }),
    output: digestsOutput,
  }),
  closeScan: operation({
    method: 'POST',
    path: '/v1/scans/close',
    roles: ['move'],
    routine: true,
    summary: 'Close a scan. Closing it again is no error.',
    input: z.strictObject({ scan: scanIdSchema }),
    output: z.strictObject({}),
  }),
} as const;

/**
 * The replica's side. The replica site implements it and every appliance passes it on: only digests
 * cross the link.
 */
export const verifyReplicaApi = {
  openMarkImage: operation({
    method: 'POST',
    path: '/v1/verify/images/open',
    roles: ['move', 'replicate'],
    routine: true,
    summary:
      'Open the replica as of a mark in the splitter’s numbering, once that is applied. Refused (POINT_UNAVAILABLE) when it is not within the wait, (NOT_SYNCED) when the mark is inside a short initialization.',
    input: z.strictObject({
      volume: volumeIdSchema,
      mark: writeMarkSchema,
      waitMs: durationMsSchema.max(MARK_WAIT_MS_MAX),
      client: z.string().max(200),
      /** The key of the digests that will be asked for. */
      key: digestKeySchema,
      /**
       * Opens a mark inside a short initialization too. That image is the replica as it stood, not
       * a state of the guest's disk.
       */
      evenInHole: z.boolean().default(false),
    }),
    output: z.strictObject({ image: z.string(), sizeBytes: bytesSchema, position: positionSchema }),
  }),
  digestImage: operation({
    method: 'POST',
    path: '/v1/verify/images/digest',
    roles: ['move', 'replicate'],
    routine: true,
    summary:
      'Digests of regions of an image that was opened at a mark, as a scan’s are told; null for a region that fails its own checksum there.',
    input: z.strictObject({ image: z.string(), ...regionsInput }),
    output: digestsOutput,
  }),
  closeMarkImage: operation({
    method: 'POST',
    path: '/v1/verify/images/close',
    roles: ['move', 'replicate'],
    routine: true,
    summary: 'Close an image that was opened at a mark. Closing it again is no error.',
    input: z.strictObject({ image: z.string() }),
    output: z.strictObject({}),
  }),
} as const;

/** A verification's input. `{ "volume": "vm-17-disk-0" }` is enough. */
export const verifyInputSchema = z.strictObject({
  volume: volumeIdSchema,
  /**
   * Most bytes of the volume compared per second. Regions that are zero on both sides count for a
   * sixteenth, and holes on both sides for nothing.
   */
  bytesPerSecond: z
    .number()
    .int()
    .min(BYTES_PER_SECOND_MIN)
    .max(BYTES_PER_SECOND_MAX)
    .default(VERIFY_BYTES_PER_SECOND_DEFAULT),
  /** Who asked and why. The workflow's input keeps both. */
  operator: z.string().max(200).optional(),
  reason: z.string().max(1_000).optional(),
});
export type VerifyInput = z.input<typeof verifyInputSchema>;
export type ParsedVerifyInput = z.output<typeof verifyInputSchema>;

/**
 * `differs`: the replica's own checksums hold, so the source or the transfer is at fault.
 * `replica-checksum`: data stored at the replica site fails its own checksum. `source-unreadable`:
 * the source's disk failed there, so nothing was compared.
 */
export const mismatchSchema = z.strictObject({
  offset: bytesSchema,
  length: bytesSchema,
  fault: z.enum(['differs', 'replica-checksum', 'source-unreadable']),
});
export type Mismatch = z.infer<typeof mismatchSchema>;

/**
 * One instant at which both sides were compared: regions from `fromRegion` up to but excluding
 * `toRegion`.
 */
export const commonPointSchema = z.strictObject({
  atMs: timeMsSchema,
  ...writeMarkSchema.shape,
  fromRegion: countSchema,
  toRegion: countSchema,
});

/**
 * Progress of a verification. It is the activity's heartbeat, from which another worker resumes.
 */
export const verifyHeartbeatSchema = z.strictObject({
  startedAtMs: timeMsSchema,
  sizeBytes: bytesSchema,
  regions: countSchema,
  nextRegion: countSchema,
  mismatchedRegions: countSchema,
  mismatches: z.array(mismatchSchema).max(MISMATCHES_LISTED_MAX),
  points: z.array(commonPointSchema).max(VERIFY_POINTS_MAX),
  /** Common points tried so far. Each needs a new name. */
  openings: countSchema,
  /** What is open on both sides now. */
  open: z.strictObject({ scan: scanIdSchema, mark: writeMarkSchema, image: z.string() }).optional(),
});
export type VerifyHeartbeat = z.infer<typeof verifyHeartbeatSchema>;

export const verifyReportSchema = z.strictObject({
  volume: volumeIdSchema,
  sizeBytes: bytesSchema,
  regions: countSchema,
  /** Ranges that differ, merged; the first {@link MISMATCHES_LISTED_MAX}. */
  mismatches: z.array(mismatchSchema).max(MISMATCHES_LISTED_MAX),
  mismatchedRegions: countSchema,
  points: z.array(commonPointSchema).max(VERIFY_POINTS_MAX),
  startedAtMs: timeMsSchema,
  endedAtMs: timeMsSchema,
  /** The rate limit that applied. */
  bytesPerSecond: bytesSchema,
});
export type VerifyReport = z.infer<typeof verifyReportSchema>;

/** The answer of the query `progress`. The activity's heartbeat says how many regions are done. */
export const verifyProgressSchema = z.strictObject({
  volume: volumeIdSchema,
  stage: z.enum(['verifying', 'done', 'failed']),
  bytesPerSecond: bytesSchema,
  startedAtMs: timeMsSchema,
  /** Set once it is done, even if it found mismatches. */
  report: verifyReportSchema.optional(),
});
export type VerifyProgress = z.infer<typeof verifyProgressSchema>;

/** The part of a verification that the move's report keeps for one volume. */
export const verifiedVolumeSchema = verifyReportSchema.pick({
  volume: true,
  sizeBytes: true,
  regions: true,
  points: true,
  startedAtMs: true,
  endedAtMs: true,
});
export type VerifiedVolume = z.infer<typeof verifiedVolumeSchema>;
