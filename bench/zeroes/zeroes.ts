// `zeroes`: what writes of zeroes over gigabytes cost a splitter, whose client pays 28 bytes for
// each: time, the longest turn of the event loop, and memory.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { bytes, duration } from '../../client/text/format.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { lifeIdSchema, lineageIdSchema, sourceIdSchema } from '../../contracts/lineage.js';
import { Distribution } from '../../control/metrics/distribution.js';
import { connectNbd } from '../../nbd/client.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { createNbdServer } from '../../nbd/server.js';
import { MemoryBudget } from '../../simulator/splitter/core/copies.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { Marks } from '../../simulator/splitter/core/marks.js';
import { VolumeSplit } from '../../simulator/splitter/core/volume-split.js';
import { BacklogFile } from '../../simulator/splitter/files/backlog-file.js';
import { MarksFile } from '../../simulator/splitter/files/marks-file.js';
import { SourceFile } from '../../simulator/splitter/files/source-file.js';
import { GuestRequests } from '../../simulator/splitter/volume/guest-requests.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';
import { ProtectedVolume } from '../../simulator/splitter/volume/protected-volume.js';
import { VolumeDevice } from '../../simulator/splitter/volume/volume-device.js';
import { atMost, type Bench, type BenchResult, type BenchRun } from '../bench.js';
import { medianOf } from '../statistics.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Longest request of NBD, less a region, so that requests don't touch. */
const REQUEST_BYTES = 4 * GIB - 64 * 1024;
/** Requests at once. */
const AT_ONCE = 160;
const SIZE_BYTES = (AT_ONCE + 1) * 4 * GIB;
/** Data under the requests over data: small, for a bench's folder. */
const DATA_BYTES = 256 * MIB;
const REPETITIONS = 5;
/** Time for the monitor to see the last turn, ms. */
const SETTLE_MS = 20;

interface Measured {
  readonly ms: number;
  readonly longestTurnMs: number;
  readonly heldBytes: number;
}

const KINDS = ['one over a hole', 'one over data', `${AT_ONCE} over holes`] as const;
type Kind = (typeof KINDS)[number];

export const zeroes: Bench = {
  name: 'zeroes',
  summary: 'writes of 4 GiB of zeroes to a protected thin disk: over a hole, over data, and 160 at once',
  repetitions: REPETITIONS,
  run,
};

async function run({ folder, repetitions, print }: BenchRun): Promise<BenchResult> {
  const runs: (Measured & { readonly kind: Kind; readonly repetition: number })[] = [];
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    const disk = await startDisk(join(folder, String(repetition)));
    try {
      for (const kind of KINDS) {
        const measured = await measureKind(disk.guest, kind);
        print(`${repetition}. ${kind}: ${duration(measured.ms)}, longest turn ${duration(measured.longestTurnMs)}`);
        runs.push({ kind, repetition, ...measured });
      }
    } finally {
      await disk.stop();
    }
  }
  const median = (kind: Kind, of: keyof Measured): number =>
    medianOf(runs.filter((one) => one.kind === kind).map((one) => one[of]));
  const [hole, data, many] = KINDS;
  return {
    goals: [
      atMost('4 GiB of zeroes over a hole, ms', median(hole, 'ms'), 100),
      atMost('4 GiB of zeroes over a hole: longest turn of the event loop, ms', median(hole, 'longestTurnMs'), 10),
      atMost(`${AT_ONCE} at once: memory held, MiB`, median(many, 'heldBytes') / MIB, 32),
    ],
    stretch: [
      atMost('4 GiB of zeroes over 256 MiB of data, ms', median(data, 'ms'), 100),
      atMost(`${AT_ONCE} at once: longest turn of the event loop, ms`, median(many, 'longestTurnMs'), 10),
    ],
    table: {
      titles: ['REQUESTS', 'TIME', 'LONGEST TURN', 'HELD'],
      rows: KINDS.map((kind) => [
        kind,
        duration(median(kind, 'ms')),
        duration(median(kind, 'longestTurnMs')),
        bytes(Math.max(0, median(kind, 'heldBytes'))),
      ]),
    },
    raw: { runs },
    conditions: [
      `A protected volume of ${bytes(SIZE_BYTES)}, a sparse file, served over a unix socket by this process, which is its client too; medians of ${repetitions}.`,
      'Each request is one of 4 GiB less 64 KiB that may free room. Held: buffers, at the end, over those at the start.',
    ],
    notMeasured: ['The replica site’s side: the records are numbered and queued, and none is sent.'],
    versions: {},
  };
}

async function measureKind(guest: NbdClient, kind: Kind): Promise<Measured> {
  const [hole, data] = KINDS;
  if (kind === data) for (let at = 0; at < DATA_BYTES; at += MIB) await guest.write(at, Buffer.alloc(MIB, 7));
  const before = process.memoryUsage().arrayBuffers;
  const turns = monitorEventLoopDelay({ resolution: 1 });
  turns.enable();
  const beganAtMs = performance.now();
  const count = kind === hole || kind === data ? 1 : AT_ONCE;
  const first = kind === hole ? 1 : 0;
  await Promise.all(Array.from({ length: count }, async (_, n) => guest.zeroes((first + n) * 4 * GIB, REQUEST_BYTES)));
  const ms = performance.now() - beganAtMs;
  await pause(SETTLE_MS);
  turns.disable();
  const heldBytes = process.memoryUsage().arrayBuffers - before;
  return { ms, longestTurnMs: turns.max / 1e6, heldBytes };
}

interface Disk {
  readonly guest: NbdClient;
  readonly stop: () => Promise<void>;
}

const uncounted = new GuestRequests(() => new Distribution([]));

/** A protected volume without a site: its records are numbered and wait. */
async function startDisk(path: string): Promise<Disk> {
  const volume = protectedVolume(path);
  const server = createNbdServer({
    exports: { list: () => [volume.id], open: () => new VolumeDevice(volume, uncounted) },
    listen: [{ path: `${path}.sock` }],
  });
  const [address] = await server.start();
  if (address === undefined) throw new Error('The server has no address.');
  const guest = await connectNbd(address, volume.id);
  // The file is made now, and its first block is no hole.
  await guest.write(SIZE_BYTES - 4_096, Buffer.alloc(4_096, 7));
  return {
    guest,
    stop: async () => {
      await guest.disconnect();
      await server.stop();
    },
  };
}

function protectedVolume(path: string): ProtectedVolume {
  const marks = new Marks(SIZE_BYTES);
  const split = new VolumeSplit({
    row: {
      volume: volumeIdSchema.parse('thin-disk'),
      sizeBytes: SIZE_BYTES,
      route: {
        group: groupIdSchema.parse('cg'),
        appliance: applianceIdSchema.parse('a'),
        url: 'http://a.test',
        epoch: 1,
      },
      source: sourceIdSchema.parse('2'.repeat(32)),
      proven: true,
    },
    splitter: splitterIdSchema.parse('host'),
    session: 1,
    life: lifeIdSchema.parse('1'.repeat(32)),
    marks,
    budget: new MemoryBudget(256 * MIB),
    spill: new BacklogFile(`${path}.spill`, 0, pino({ level: 'silent' })),
    queueMaxBytes: 64 * MIB,
    nowMs: 0,
    beganAtMs: 0,
    startReason: '',
  });
  split.attached({ n: 0, lineage: lineageIdSchema.parse('3'.repeat(32)), base: 0 });
  return new ProtectedVolume({
    split,
    source: new SourceFile(`${path}.img`, SIZE_BYTES),
    marksFile: new MarksFile(`${path}.marks`, marks),
    held: new HeldAcknowledgements(new Holds()),
    sync: false,
    events: { onNumbered: () => undefined, onSettled: () => undefined, onMarked: () => undefined },
  });
}
