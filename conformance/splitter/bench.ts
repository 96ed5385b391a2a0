// What a check of a splitter may use: one test volume, its guest's disk, and the two appliances
// that the kit stands in for.
import { randomBytes } from 'node:crypto';
import type { AttemptVolume, Endpoint, TicketedAttempt, Verdict } from '../../contracts/attempt.js';
import { moveIdSchema } from '../../contracts/ids.js';
import type { Calls, OutputOf } from '../../contracts/route.js';
import type { splitterApi, SplitterVolume } from '../../contracts/splitter-api.js';
import { type Awaited, expectAnswer, expectEqual, expectSoon } from '../expectations.js';
import { Skipped, Unmet } from '../finding.js';
import type { ApplianceStandIn } from './appliance-stand-in.js';
import type { GuestDisk } from './guest-disk.js';
import type { SiteStandIn } from './site-stand-in.js';

type SplitterCalls = Calls<typeof splitterApi>;
type FenceAnswer = OutputOf<(typeof splitterApi)['fence']>;

/** Long enough that no lease ends by itself during a check, ms. */
const LEASE_MS = 600_000;
export const BLOCK_BYTES = 4_096;
/** Tries of a check that must be quicker than a hold of 250 ms. */
const HOLD_TRIES_MAX = 10;

export interface BenchOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly calls: SplitterCalls;
  readonly before: SplitterVolume;
  readonly disk: GuestDisk;
  readonly site: SiteStandIn;
  readonly home: ApplianceStandIn;
  readonly other: ApplianceStandIn;
  readonly restart: (() => Promise<void>) | undefined;
  /** Longest wait for what a check expects to come, ms. */
  readonly patienceMs: number;
}

export class SplitterBench {
  readonly url: string;
  readonly token: string | undefined;
  readonly calls: SplitterCalls;
  readonly disk: GuestDisk;
  readonly site: SiteStandIn;
  readonly patienceMs: number;
  readonly before: SplitterVolume;
  /** The appliance that has the volume, and the one that a move takes it to. */
  old: ApplianceStandIn;
  next: ApplianceStandIn;
  readonly #home: ApplianceStandIn;
  readonly #restart: BenchOptions['restart'];
  #ticket = 0;
  #writes = 0;

  constructor({ home, other, restart, ...options }: BenchOptions) {
    this.url = options.url;
    this.token = options.token;
    this.calls = options.calls;
    this.disk = options.disk;
    this.site = options.site;
    this.patienceMs = options.patienceMs;
    this.before = options.before;
    this.old = home;
    this.next = other;
    this.#home = home;
    this.#restart = restart;
  }

  get canRestart(): boolean {
    return this.#restart !== undefined;
  }

  async describe(): Promise<SplitterVolume> {
    const { volumes } = await expectAnswer('inventory', this.calls.inventory({ volume: this.site.volume }));
    const [found] = volumes;
    if (found === undefined)
      throw new Unmet({ sent: 'inventory', expected: `volume "${this.site.volume}"`, came: 'none' });
    return found;
  }

  async soon(awaited: Awaited): Promise<void> {
    await expectSoon(awaited, this.patienceMs);
  }

  /** Waits for the inventory to show it. */
  async soonShown(sent: string, expected: string, holds: (volume: SplitterVolume) => boolean): Promise<SplitterVolume> {
    let volume = await this.describe();
    await this.soon({
      sent,
      expected,
      holds: async () => {
        volume = await this.describe();
        return holds(volume);
      },
      came: () => volume,
    });
    return volume;
  }

  /** Waits until all that the guest wrote is durable at the kit's site. */
  async quiet(): Promise<SplitterVolume> {
    return this.soonShown(
      'nothing; all records are confirmed',
      'SYNCED, nothing unconfirmed, no marks',
      ({ mode, unconfirmedBytes, markedRegions, connected }) =>
        mode === 'SYNCED' && connected && unconfirmedBytes === 0 && markedRegions === 0,
    );
  }

  /** Writes one block with content of its own; settles with the guest's acknowledgement. */
  async write(): Promise<number> {
    const offset = (this.#writes * BLOCK_BYTES) % this.site.scratch.length;
    this.#writes += 1;
    await this.within('a guest’s write', 'its acknowledgement', this.disk.write(offset, randomBytes(BLOCK_BYTES)));
    return offset;
  }

  /** Puts back what the scratch had, and waits until that is durable. */
  async restore(original: Buffer): Promise<void> {
    await this.within('a guest’s write', 'its acknowledgement', this.disk.write(0, original));
    await this.quiet();
  }

  /** @throws Unmet when it does not settle in time */
  async within<T>(sent: string, expected: string, promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Unmet({ sent, expected, came: `nothing within ${this.patienceMs} ms` })),
        this.patienceMs,
      );
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @throws Unmet unless the records make the source */
  async expectReplica(): Promise<void> {
    await this.quiet();
    const reading = this.disk.read(0, this.site.scratch.length);
    const source = await this.within('a guest’s read', 'the content', reading);
    const differs = source.findIndex((byte, at) => byte !== this.site.scratch[at]);
    if (differs >= 0)
      throw new Unmet({
        sent: 'guests’ writes, all confirmed',
        expected: 'a replica equal to the source',
        came: `another byte at ${differs}`,
      });
  }

  /** An attempt that is newer than all that the splitter has seen of the volume. */
  nextAttempt(): TicketedAttempt {
    const seen = [this.old, this.next].flatMap(({ attaches }) => attaches.map(({ ticket }) => ticket));
    this.#ticket = Math.max(this.#ticket, ...seen) + 1;
    return this.attemptWith(this.#ticket);
  }

  attemptWith(ticket: number): TicketedAttempt {
    return { move: moveIdSchema.parse(`conformance-${randomBytes(8).toString('hex')}`), n: 1, ticket };
  }

  /** The volume as an attempt is bound to it now. */
  get bound(): AttemptVolume {
    return { volume: this.site.volume, splitter: this.before.splitter, epoch: this.site.owner.epoch };
  }

  noticeOf(attempt: TicketedAttempt) {
    const resolvers = [this.old.endpoint.url, this.next.endpoint.url];
    return { attempt, volumes: [this.bound], from: this.old.endpoint, to: this.next.endpoint, resolvers };
  }

  async notify(attempt: TicketedAttempt): Promise<void> {
    await expectAnswer('notify', this.calls.notify(this.noticeOf(attempt)));
  }

  async fence(attempt: TicketedAttempt, { leaseMs = LEASE_MS, holdMs = 0 } = {}): Promise<FenceAnswer> {
    const input = { attempt, volumes: [this.site.volume], leaseMs, holdMs };
    return expectAnswer('fence', this.calls.fence(input));
  }

  async learn(attempt: TicketedAttempt, verdict: Verdict, bound = this.bound) {
    return this.calls.learn({ attempt, verdict, volumes: [bound], to: this.next.endpoint });
  }

  /** Notifies and fences a new attempt while the volume is quiet. */
  async fenced(options: { readonly leaseMs?: number; readonly holdMs?: number } = {}) {
    await this.quiet();
    const attempt = this.nextAttempt();
    await this.notify(attempt);
    const answer = await this.fence(attempt, options);
    const cut = answer.cuts.find(({ volume }) => volume === this.site.volume);
    if (cut === undefined) throw new Unmet({ sent: 'fence', expected: 'a cut of the volume', came: 'none' });
    return { attempt, answer, cut };
  }

  /** Decides at the kit's site, then tells the splitter. */
  async decide(attempt: TicketedAttempt, verdict: Verdict) {
    const { bound } = this;
    this.site.barrier = undefined;
    if (verdict === 'ABORTED') return expectAnswer('learn ABORTED', this.learn(attempt, verdict));
    const to = this.next.endpoint;
    this.site.owner = { group: to.group, epoch: bound.epoch + 1 };
    const call = this.calls.learn({ attempt, verdict, volumes: [bound], to });
    [this.old, this.next] = [this.next, this.old];
    return expectAnswer('learn COMMITTED', call);
  }

  /** Tries what must be quicker than a hold until it was: a busy machine may be too slow. */
  async whileHeld(attempt: () => Promise<boolean>, sent: string): Promise<void> {
    for (let tries = 0; tries < HOLD_TRIES_MAX; tries += 1) if (await attempt()) return;
    throw new Unmet({ sent, expected: 'held: true', came: `held: false, ${HOLD_TRIES_MAX} times` });
  }

  /** @throws Skipped without a command that restarts the splitter */
  async restart(): Promise<void> {
    if (this.#restart === undefined) throw new Skipped('no command was given that restarts the splitter');
    await this.disk.close();
    await this.#restart();
    await this.soon({
      sent: 'the command that restarts the splitter',
      expected: 'a splitter that answers',
      holds: async () =>
        this.calls.health({}).then(
          () => true,
          () => false,
        ),
      came: () => 'no answer',
    });
  }

  /** Ends what a check left, so that the next one begins with a quiet volume at home. */
  async settle(): Promise<void> {
    for (const appliance of [this.old, this.next]) {
      appliance.confirms = true;
      appliance.accepts = true;
      appliance.verdict = undefined;
      appliance.grant(Number.MAX_SAFE_INTEGER);
      appliance.say('resume');
      appliance.confirm();
    }
    this.site.barrier = undefined;
    const { fence, notice } = await this.describe();
    for (const left of new Set([fence?.attempt, notice?.attempt]))
      if (left !== undefined) await this.decide(left, 'ABORTED');
    if (this.old !== this.#home) {
      const { attempt } = await this.fenced();
      await this.decide(attempt, 'COMMITTED');
    }
    // Nothing may be held any more: the guest can write.
    await this.write();
    await this.quiet();
  }

  /** Waits until records after the cut have come, and expects them in the order of the writes. */
  async expectBacklog(
    sent: string,
    from: number,
    offsets: readonly number[],
    appliance: Endpoint['appliance'],
  ): Promise<void> {
    await this.quiet();
    const came = this.site.accepted.slice(from);
    expectEqual(
      sent,
      offsets.map((offset) => ({ offset, appliance })),
      came.filter(({ type }) => type === 'write').map(({ offset, appliance }) => ({ offset, appliance })),
    );
    await this.expectReplica();
  }
}
