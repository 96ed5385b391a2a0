// The verification of a volume for scripts: the real activity over a source and a replica whose
// regions a script writes, in virtual time.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { VerifyRun } from '../../../../activities/run.js';
import { verify } from '../../../../activities/verify.js';
import { errorCodeSchema, MoverError } from '../../../../contracts/errors.js';
import { applianceIdSchema, splitterIdSchema, volumeIdSchema } from '../../../../contracts/ids.js';
import {
  type DigestRun,
  VERIFY_REGION_BYTES,
  type VerifyHeartbeat,
  type VerifyReport,
} from '../../../../contracts/verify.js';
import type { AppliancePort, Ports, SplitterPort } from '../../../../control/ports.js';
import { bytesOf, type Command, type Commands, exact, folded, listOf, msOf } from '../script.js';

const VOLUME = volumeIdSchema.parse('v1');
const WALL_MS = 1_000_000;
/** How long the replica site waits for a mark in one call, ms. */
const MARK_WAIT_MS = 5_000;

/** A region at one side: a digest, '' for zeroes, null for what can't be read, or a hole. */
type Content = string | null;

/** What becomes of a call. */
interface Trouble {
  readonly code: string;
  /** Refused from this region on; by default at once. */
  readonly from: number;
}

export class ScriptedVerify {
  source: Content[] = [];
  replica: Content[] = [];
  /** The side whose answers are odd, and how. */
  oddSide: readonly Content[] | undefined;
  oddAnswer: 'short' | 'empty' = 'short';
  sizeBytes = 0;
  /** The size that the splitter tells, when it is another one. */
  scanBytes: number | undefined;
  hasVolume = true;
  /** The message of the cancellation that ends the next pause. */
  cancelWith: string | undefined;
  bytesPerSecond = VERIFY_REGION_BYTES * 8;
  readonly troubles = new Map<string, Trouble[]>();
  readonly #abort = new AbortController();
  #monotonicMs = 0;
  #marks = 0;
  #earlier: VerifyHeartbeat | undefined;
  #lines: string[] = [];

  advance(ms: number): void {
    this.#monotonicMs += Math.ceil(ms);
  }

  /** Runs the activity; a further run has the last heartbeat of the one before. */
  async run(id: string): Promise<string[]> {
    const run: VerifyRun = {
      id,
      signal: this.#abort.signal,
      earlier: this.#earlier,
      nowMs: () => WALL_MS + this.#monotonicMs,
      monotonicMs: () => this.#monotonicMs,
      sleep: async (ms) => {
        this.#lines.push(`pauses ${Math.round(ms)} ms`);
        if (this.cancelWith !== undefined) throw new CancelledFailure(this.cancelWith);
        this.advance(ms);
        await Promise.resolve();
      },
      heartbeat: (details) => {
        this.#earlier = exact(details);
      },
    };
    try {
      const report = await verify(this.#ports, { volume: VOLUME, bytesPerSecond: this.bytesPerSecond }, run);
      this.#earlier = undefined;
      return [...this.#takeLines(), ...reportText(report)];
    } catch (error) {
      return [...this.#takeLines(), ...this.#errorText(error)];
    }
  }

  /** What the last heartbeat says: another run resumes there. */
  beat(): string[] {
    const beat = this.#earlier;
    if (beat === undefined) return ['no heartbeat'];
    const open = beat.open === undefined ? 'nothing open' : `open ${beat.open.scan} and ${beat.open.image}`;
    return [`at region ${beat.nextRegion} of ${beat.regions}, ${beat.openings} openings, ${open}`];
  }

  /** Nobody waits for the verification any more. */
  abort(): void {
    this.#abort.abort(new CancelledFailure('CANCELLED'));
  }

  #takeLines(): string[] {
    const lines = folded(this.#lines);
    this.#lines = [];
    return lines;
  }

  #errorText(error: unknown): string[] {
    if (error instanceof MoverError) return [`${error.code}: ${error.message}`];
    if (error instanceof CancelledFailure) return [`cancelled: ${error.message}`];
    if (!(error instanceof ApplicationFailure)) throw error;
    const [, report] = error.details ?? [];
    this.#earlier = undefined;
    return [
      `${error.type ?? ''}${error.nonRetryable === true ? ' for good' : ''}: ${error.message}`,
      ...reportText(report as VerifyReport),
    ];
  }

  async #call<T>(name: string, detail: string, answer: () => T, region = 0): Promise<T> {
    const [trouble] = this.troubles.get(name) ?? [];
    await Promise.resolve();
    if (trouble !== undefined && region >= trouble.from) {
      this.troubles.get(name)?.shift();
      this.#lines.push(`${name} ${detail} → ${trouble.code}`);
      // The site answers so once it has waited for the mark.
      if (trouble.code === 'POINT_UNAVAILABLE') this.advance(MARK_WAIT_MS);
      throw new MoverError(errorCodeSchema.parse(trouble.code), `${name} was refused`);
    }
    this.#lines.push(`${name} ${detail}`);
    return answer();
  }

  /** A call that ends when the activity is cancelled: it is given the activity's signal. */
  async #cancellable<T>(
    options: { readonly signal?: AbortSignal } | undefined,
    name: string,
    detail: string,
    answer: () => T,
    region = 0,
  ): Promise<T> {
    if (options?.signal !== this.#abort.signal) throw new Error(`${name} can't be cancelled`);
    return await this.#call(name, detail, answer, region);
  }

  /** The first of the regions, as many as one answer has. */
  #answer(side: readonly Content[], from: number, count: number, digestsMax = count) {
    const digests: DigestRun[] = [];
    let regions = 0;
    while (regions < count) {
      const content = side[from + regions];
      const last = digests.at(-1);
      if (content === 'hole' && typeof last === 'number') digests[digests.length - 1] = last + 1;
      else if (digests.length >= digestsMax) break;
      else if (content !== undefined) digests.push(content === 'hole' ? 1 : content);
      regions += 1;
    }
    if (side === this.oddSide && this.oddAnswer === 'empty') return { regions: 0, digests: [] };
    if (side === this.oddSide) digests.pop();
    return { regions, digests };
  }

  get #ports(): Ports {
    const splitter = splitterIdSchema.parse('s1');
    const splitterCalls: Partial<SplitterPort['calls']> = {
      openScan: ({ volume, scan, leaseMs }, options) =>
        this.#cancellable(options, 'openScan', `${volume} ${scan} for ${leaseMs ?? 0} ms`, () => {
          this.#marks += 1;
          const sizeBytes = this.scanBytes ?? this.sizeBytes;
          return {
            scan,
            mark: { session: 1, n: this.#marks },
            sizeBytes,
            regions: this.source.length,
            regionBytes: VERIFY_REGION_BYTES,
            atMs: WALL_MS + this.#monotonicMs,
            key: keyOf(this.#marks),
          };
        }),
      readScan: ({ scan, from, count, digestsMax }, options) =>
        this.#cancellable(
          options,
          'readScan',
          `${scan} ${from}+${count}`,
          () => this.#answer(this.source, from, count, digestsMax),
          from,
        ),
      closeScan: ({ scan }) => this.#call('closeScan', scan, () => ({})),
    };
    const applianceCalls: Partial<AppliancePort['calls']> = {
      siteVolumes: ({ volume }) =>
        this.#call('siteVolumes', volume ?? '', () => ({
          volumes: this.hasVolume ? [{ ...SITE_VOLUME, sizeBytes: this.sizeBytes }] : [],
        })),
      openMarkImage: ({ volume, mark, waitMs, client, key }, options) =>
        this.#cancellable(
          options,
          'openMarkImage',
          `${volume} at ${mark.session}:${mark.n} within ${waitMs ?? 0} ms for "${client ?? ''}"${key === keyOf(mark.n) ? '' : ' with another key'}`,
          () => ({
            image: `image-${mark.n}`,
            position: mark.n,
            sizeBytes: this.sizeBytes,
          }),
        ),
      digestImage: ({ image, from, count, digestsMax }, options) =>
        this.#cancellable(
          options,
          'digestImage',
          `${image} ${from}+${count}`,
          () => this.#answer(this.replica, from, count, digestsMax),
          from,
        ),
      closeMarkImage: ({ image }) => this.#call('closeMarkImage', image, () => ({})),
    };
    const appliance = applianceIdSchema.parse('a1');
    return {
      splitters: new Map([[splitter, { id: splitter, calls: splitterCalls as SplitterPort['calls'] }]]),
      appliances: new Map([
        [appliance, { id: appliance, url: 'http://a1.test', calls: applianceCalls as AppliancePort['calls'] }],
      ]),
    };
  }
}

const SITE_VOLUME = {
  volume: VOLUME,
  splitter: splitterIdSchema.parse('s1'),
  sizeBytes: 0,
} as Awaited<ReturnType<AppliancePort['calls']['siteVolumes']>>['volumes'][number];

function reportText(report: VerifyReport): string[] {
  const { volume, sizeBytes, regions, mismatchedRegions, mismatches, points, startedAtMs, endedAtMs } = report;
  return [
    `${volume} of ${sizeBytes} B: ${regions} regions compared, ${mismatchedRegions} differ, ${startedAtMs}..${endedAtMs}, ${report.bytesPerSecond} B/s`,
    ...mismatches.map(({ offset, length, fault }) => `  ${offset}+${length} ${fault}`),
    ...points.map(
      ({ atMs, session, n, fromRegion, toRegion }) =>
        `  regions ${fromRegion} to ${toRegion} at ${session}:${n}, ${atMs}`,
    ),
  ];
}

export const verifyCommands: Commands<ScriptedVerify, string[] | Promise<string[]>> = {
  /** A volume of so many equal regions; `zero=` ones are zeroes at both sides, `hole=` holes. */
  volume(verification, command) {
    const regions = Number(command.word(0));
    const zeroes = new Set(listOf(command.option('zero') ?? ''));
    const holes = new Set(listOf(command.option('hole') ?? ''));
    const lastBytes = bytesOf(command.option('last') ?? String(VERIFY_REGION_BYTES));
    verification.sizeBytes = (regions - 1) * VERIFY_REGION_BYTES + lastBytes;
    verification.source = Array.from({ length: regions }, (_, region) =>
      holes.has(region) ? 'hole' : zeroes.has(region) ? '' : `digest-${region}`,
    );
    verification.replica = [...verification.source];
    verification.bytesPerSecond = command.number('rate') ?? verification.bytesPerSecond;
    return [];
  },

  /** Regions of a side: `source 2-3 unreadable`, `replica 1 other`, `replica 4 zero`. */
  source(verification, command) {
    setRegions(verification.source, command);
    return [];
  },

  replica(verification, command) {
    setRegions(verification.replica, command);
    return [];
  },

  /**
   * The splitter tells another size; the site does not know the volume; a side's answers lack a
   * digest, or are empty.
   */
  odd(verification, command) {
    const what = command.word(0);
    if (what === 'size') verification.scanBytes = verification.sizeBytes + 1;
    else if (what === 'volume') verification.hasVolume = false;
    else verification.oddSide = what === 'source' ? verification.source : verification.replica;
    verification.oddAnswer = command.words[1] === 'empty' ? 'empty' : 'short';
    return [];
  },

  /** A call is refused, as often as said, from a region on; `step=` regions further each time. */
  trouble(verification, command) {
    const name = command.word(0);
    const code = command.word(1);
    const from = command.number('from') ?? 0;
    const step = command.number('step') ?? 0;
    const times = command.number('times') ?? 1;
    const planned = verification.troubles.get(name) ?? [];
    verification.troubles.set(name, [
      ...planned,
      ...Array.from({ length: times }, (_, i) => ({ code, from: from + i * step })),
    ]);
    return [];
  },

  cancel(verification, command) {
    verification.cancelWith = command.words[0] === 'never' ? undefined : command.word(0);
    return [];
  },

  advance(verification, command) {
    verification.advance(msOf(command.word(0)));
    return [];
  },

  abort(verification) {
    verification.abort();
    return [];
  },

  async verify(verification, command) {
    const lines = await verification.run(command.word(0));
    // With hundreds of calls only the end is told.
    return command.option('tell') === 'end' ? lines.slice(-1) : lines;
  },

  beat: (verification) => verification.beat(),
};

/** A key for each common point. */
function keyOf(mark: number): string {
  return String(mark).padStart(43, 'k');
}

function setRegions(side: Content[], command: Command): void {
  const contents: Readonly<Record<string, Content>> = {
    unreadable: null,
    other: 'another digest',
    zero: '',
    hole: 'hole',
  };
  for (const region of listOf(command.word(0))) side[region] = contents[command.word(1)] ?? null;
}
