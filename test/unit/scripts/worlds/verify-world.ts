// The verification of a volume for scripts: the real activity over a source and a replica whose
// regions a script writes, in virtual time.
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { VerifyRun } from '../../../../activities/run.js';
import { verify } from '../../../../activities/verify.js';
import { errorCodeSchema, MoverError } from '../../../../contracts/errors.js';
import { applianceIdSchema, splitterIdSchema, volumeIdSchema } from '../../../../contracts/ids.js';
import { VERIFY_REGION_BYTES, type VerifyHeartbeat, type VerifyReport } from '../../../../contracts/verify.js';
import type { AppliancePort, Ports, SplitterPort } from '../../../../control/ports.js';
import { bytesOf, type Command, type Commands, exact, folded, listOf, msOf } from '../script.js';

const VOLUME = volumeIdSchema.parse('v1');
const WALL_MS = 1_000_000;
/** How long the replica site waits for a mark in one call, ms. */
const MARK_WAIT_MS = 5_000;

/** What becomes of a call. */
interface Trouble {
  readonly code: string;
  /** Refused from this region on; by default at once. */
  readonly from: number;
}

export class ScriptedVerify {
  /** A region's content at each side: a digest, '' for zeroes, null for what can't be read. */
  source: (string | null)[] = [];
  replica: (string | null)[] = [];
  sizeBytes = 0;
  /** The size that the splitter tells, when it is another one. */
  scanBytes: number | undefined;
  hasVolume = true;
  isShort = false;
  /** Aborts with this at the next sleep. */
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
          };
        }),
      readScan: ({ scan, from, count }, options) =>
        this.#cancellable(
          options,
          'readScan',
          `${scan} ${from}+${count}`,
          () => ({ digests: this.source.slice(from, from + count) }),
          from,
        ),
      closeScan: ({ scan }) => this.#call('closeScan', scan, () => ({})),
    };
    const applianceCalls: Partial<AppliancePort['calls']> = {
      siteVolumes: ({ volume }) =>
        this.#call('siteVolumes', volume ?? '', () => ({
          volumes: this.hasVolume ? [{ ...SITE_VOLUME, sizeBytes: this.sizeBytes }] : [],
        })),
      openMarkImage: ({ volume, mark, waitMs, client }, options) =>
        this.#cancellable(
          options,
          'openMarkImage',
          `${volume} at ${mark.session}:${mark.n} within ${waitMs ?? 0} ms for "${client ?? ''}"`,
          () => ({
            image: `image-${mark.n}`,
            position: mark.n,
            sizeBytes: this.sizeBytes,
          }),
        ),
      digestImage: ({ image, from, count }, options) =>
        this.#cancellable(
          options,
          'digestImage',
          `${image} ${from}+${count}`,
          () => ({ digests: this.replica.slice(from, from + count - (this.isShort ? 1 : 0)) }),
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
  /** A volume of so many regions, all equal; `zero=` regions are zeroes at both sides. */
  volume(verification, command) {
    const regions = Number(command.word(0));
    const zeroes = new Set(listOf(command.option('zero') ?? ''));
    const lastBytes = bytesOf(command.option('last') ?? String(VERIFY_REGION_BYTES));
    verification.sizeBytes = (regions - 1) * VERIFY_REGION_BYTES + lastBytes;
    verification.source = Array.from({ length: regions }, (_, region) =>
      zeroes.has(region) ? '' : `digest-${region}`,
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

  /** The splitter tells another size; the site does not know the volume; an answer is too short. */
  odd(verification, command) {
    const what = command.word(0);
    if (what === 'size') verification.scanBytes = verification.sizeBytes + 1;
    else if (what === 'volume') verification.hasVolume = false;
    else if (what === 'source') verification.source.pop();
    else verification.isShort = true;
    return [];
  },

  /** A call is refused, as often as said, from a region on. */
  trouble(verification, command) {
    const name = command.word(0);
    const trouble = { code: command.word(1), from: command.number('from') ?? 0 };
    const times = command.number('times') ?? 1;
    const planned = verification.troubles.get(name) ?? [];
    verification.troubles.set(name, [...planned, ...Array.from({ length: times }, () => trouble)]);
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
    return await verification.run(command.word(0));
  },

  beat: (verification) => verification.beat(),
};

function setRegions(side: (string | null)[], command: Command): void {
  const contents: Readonly<Record<string, string | null>> = { unreadable: null, other: 'another digest', zero: '' };
  for (const region of listOf(command.word(0))) side[region] = contents[command.word(1)] ?? null;
}
