// What moves do to a volume's history: the recovery points before and after each move, the bytes
// sent again, the holes.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { GroupId, PointId } from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { compareExports, type Export, withExport } from '../../estate/compare.js';
import { type Guest, startGuest } from '../../estate/guest/guest.js';
import { type DiskCheck, verifyCut, verifyFinal } from '../../estate/guest/verify.js';
import { waitUntilQuiet } from '../../estate/quiet.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { MOVED_POINT_EVERY_MS, MOVED_VOLUME, WAY } from './history-estate.js';
import type { Testbed } from './testbed.js';

/**
 * Rate of the guest: 4 MiB/s. It writes about a hundred blocks between fence and verdict, and is
 * far from overflowing a queue on two cores.
 */
export const WRITES_PER_SECOND = 1_000;
export const GUEST_DEPTH = 8;
const SEED = 20_639_383;
/** Points of a group that must exist before the volume leaves it again. */
export const POINTS_IN_GROUP = 3;
/** Longest wait for those points, and for the volume to become quiet, ms. */
const WAIT_MS_MAX = 60_000;

interface MoveOutcome {
  readonly from: GroupId;
  readonly to: GroupId;
  /** Number of points that contained the volume just before the move. */
  readonly before: number;
  /** How many of those were opened and read before the move; the rest were closed meanwhile. */
  readonly read: number;
  /**
   * Those that after the move are gone, can't be opened or hold other bytes, each with the reason.
   */
  readonly lost: readonly string[];
  /** Number of all points that contain the volume after the move. */
  readonly after: number;
  readonly fencedMs: number;
  /** Bytes that the guest wrote between fence and verdict. */
  readonly backlogBytes: number;
  readonly resentBytes: number;
  readonly holes: number;
  readonly abortedAttempts: number;
}

export interface PointsOutcome {
  readonly moves: readonly MoveOutcome[];
  readonly writes: number;
  /** Bytes sent again in the splitter's whole life, whether by moves or not. */
  readonly resentBytes: number;
  readonly sizeBytes: number;
  /** Number of holes in the volume's timeline at the end. */
  readonly holes: number;
  /** Number of all points at the end that contain the volume. */
  readonly points: number;
  /** Those points whose content the guest could not have left by a crash, each with the reason. */
  readonly impossible: readonly string[];
  /** Bytes in which source and replica differ once the volume is quiet. */
  readonly differentBytes: number;
  /** Blocks of the source that differ from the guest's log once the volume is quiet. */
  readonly sourceFaults: number;
}

/**
 * Moves the volume along its whole route while a guest writes.
 * @throws Error when a move, the guest or the estate fails
 */
export async function measurePoints(testbed: Testbed, print: (line: string) => void): Promise<PointsOutcome> {
  const { address, name } = testbed.source(MOVED_VOLUME);
  const guest = await startGuest({
    address,
    volume: name,
    seed: SEED,
    depth: GUEST_DEPTH,
    writesPerSecond: WRITES_PER_SECOND,
  });
  try {
    const working = measure(testbed, guest, print);
    return await Promise.race([working, guest.failed, testbed.estate.failed]);
  } finally {
    await guest.abandon();
  }
}

async function measure(testbed: Testbed, guest: Guest, print: (line: string) => void): Promise<PointsOutcome> {
  const history = new History(testbed);
  const moves: MoveOutcome[] = [];
  for (const [i, from] of WAY.entries()) {
    const to = WAY[(i + 1) % WAY.length] ?? WAY[0];
    const outcome = await measureMove(testbed, history, { from, to });
    print(
      `${from} → ${to}: ${outcome.before} points before, ${outcome.before - outcome.lost.length} of them after, ${outcome.after} in all`,
    );
    moves.push(outcome);
  }
  await guest.stop();
  await waitUntilQuiet(testbed.client, { volume: MOVED_VOLUME, timeoutMs: WAIT_MS_MAX });
  return { moves, ...(await judgeWhole(testbed, history, guest)) };
}

async function measureMove(
  testbed: Testbed,
  history: History,
  { from, to }: { readonly from: GroupId; readonly to: GroupId },
): Promise<MoveOutcome> {
  await history.waitForPoints(from);
  const before = await history.readAll();
  const read = before.filter((id) => history.hasRead(id)).length;
  const report = await testbed.move(MOVED_VOLUME, to);
  const { lost, after } = await history.lostOf(before);
  const [moved] = report.volumes;
  if (moved === undefined) throw new Error('The report of the move names no volume.');
  const { backlogBytes, resentBytes, holes } = moved;
  if (backlogBytes === 0) throw new Error('Nothing was written between fence and verdict: the guest is too slow.');
  return {
    from,
    to,
    before: before.length,
    read,
    lost,
    after,
    fencedMs: report.fencedMs,
    backlogBytes,
    resentBytes,
    holes: holes.length,
    abortedAttempts: report.abortedAttempts.length,
  };
}

/** Judges everything that needs a stopped guest. */
async function judgeWhole(testbed: Testbed, history: History, guest: Guest): Promise<Omit<PointsOutcome, 'moves'>> {
  const [volume] = (await testbed.client.volumes.list()).filter((candidate) => candidate.volume === MOVED_VOLUME);
  const view = volume?.splitterView;
  if (view === undefined) throw new Error('The splitter does not answer.');
  const verify = async (disk: Export, check: typeof verifyCut): Promise<DiskCheck> =>
    withExport(disk, async (open) => check(readAhead(open), guest.seed, guest.log));

  const points = await history.list();
  const impossible: string[] = [];
  for (const { id, members } of points) {
    const { faults, described, written } = await verify(testbed.image(MOVED_VOLUME, id), verifyCut);
    if (faults > 0) impossible.push(`${id}: ${described[0] ?? `${faults} faults`}`);
    // Rules out an empty image, which would be consistent with anything: only a point from before
    // the first write is empty.
    const position = members.find((member) => member.volume === MOVED_VOLUME)?.position ?? 0;
    if (written === 0 && position > 0) impossible.push(`${id}: it holds none of the guest’s writes`);
  }
  const { holes } = await testbed.client.points.list({ volume: MOVED_VOLUME });
  const source = testbed.source(MOVED_VOLUME);
  const { differentBytes } = await compareExports(source, testbed.image(MOVED_VOLUME, 'latest'));
  return {
    writes: guest.log.acknowledged,
    resentBytes: view.resentBytes,
    sizeBytes: view.sizeBytes,
    holes: holes.length,
    points: points.length,
    impossible,
    differentBytes,
    sourceFaults: (await verify(source, verifyFinal)).faults,
  };
}

/** The volume's recovery points, with the digest of each at its first reading. */
class History {
  readonly #testbed: Testbed;
  readonly #digests = new Map<PointId, string>();

  constructor(testbed: Testbed) {
    this.#testbed = testbed;
  }

  /**
   * Points that contain the volume for good: a provisional position (of a fenced member) is struck
   * if its move commits.
   */
  async list(): Promise<RecoveryPoint[]> {
    const { points } = await this.#testbed.client.points.list({ volume: MOVED_VOLUME });
    return points.filter(({ members }) =>
      members.some(({ volume, provisional }) => volume === MOVED_VOLUME && provisional === undefined),
    );
  }

  /** Waits until the volume's group has closed `POINTS_IN_GROUP` points of its own. */
  async waitForPoints(group: GroupId): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MS_MAX;
    for (;;) {
      const own = (await this.list()).filter((point) => point.group === group && point.kind === 'periodic');
      if (own.length >= POINTS_IN_GROUP) return;
      if (performance.now() > deadlineMs) throw new Error(`${group} closed ${own.length} points in ${WAIT_MS_MAX} ms.`);
      await delay(MOVED_POINT_EVERY_MS / 4);
    }
  }

  hasRead(point: PointId): boolean {
    return this.#digests.has(point);
  }

  /**
   * Reads the points that weren't read yet.
   * @returns all points then listed; those closed during the reading are not read
   */
  async readAll(): Promise<PointId[]> {
    for (const { id } of await this.list()) {
      if (!this.#digests.has(id)) this.#digests.set(id, await this.#read(id));
    }
    return (await this.list()).map(({ id }) => id);
  }

  /** Reads the points again and compares each with its first reading. */
  async lostOf(before: readonly PointId[]): Promise<{ readonly lost: string[]; readonly after: number }> {
    const listed = new Set((await this.list()).map(({ id }) => id));
    const lost: string[] = [];
    for (const id of before) {
      if (!listed.has(id)) {
        lost.push(`${id}: it is gone`);
        continue;
      }
      try {
        const digest = await this.#read(id);
        if (digest !== (this.#digests.get(id) ?? digest)) lost.push(`${id}: it holds other bytes than before`);
        this.#digests.set(id, digest);
      } catch (error) {
        lost.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return { lost, after: listed.size };
  }

  async #read(point: PointId): Promise<string> {
    return await withExport(this.#testbed.image(MOVED_VOLUME, point), async (image) => {
      const digest = createHash('sha256');
      for await (const { data } of readAhead(image)) digest.update(data);
      return digest.digest('base64');
    });
  }
}
