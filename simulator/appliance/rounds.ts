// Closes a recovery point of a group: takes a cut at each splitter that has members, confirms it if
// there are several splitters, then closes the point at the replica site.
import type { Credentials } from '../../control/credentials.js';
import { MoverError } from '../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { RoundFaults } from '../../contracts/appliance-api.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import type { KeepRequest } from '../../contracts/retention.js';
import type { Calls } from '../../contracts/route.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import type { ProcessClock } from '../../control/clock/process-clock.js';
import { ownRefusal } from '../control-server/own-refusal.js';
import type { ClockSkews } from './clock-skews.js';
import { groupCut, holdMsFor, type GroupCut, type SplitterCut } from './core/point-round.js';
import type { Members } from './members.js';
import type { SplitterAddress } from './relay.js';
import type { Relays } from './relays.js';
import type { SiteClient } from './site-client.js';

/**
 * Longest answer of a splitter to a cut, ms. A cut waits for nothing: a slower splitter is stuck.
 */
const SPLITTER_CALL_MS_MAX = 2_000;
/** Most clients of splitters kept: one per host, and some for hosts that changed their address. */
const CLIENTS_MAX = 10_000;

export interface RoundRequest {
  readonly group: GroupId;
  readonly kind: 'periodic' | 'demand';
  /** Longest wait of the site for the cuts to become durable there, ms. */
  readonly waitMs: number;
  readonly bookmark?: string | undefined;
  readonly keep?: KeepRequest | undefined;
  /** Volumes that the cut must contain; otherwise no point is closed. */
  readonly mustHave?: readonly VolumeId[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RoundsOptions {
  /** Unique among all appliances and their lives, so that their rounds can't be mixed up. */
  readonly name: string;
  readonly site: Pick<SiteClient, 'call'>;
  readonly relays: Pick<Relays, 'isAttached' | 'splittersOf'>;
  readonly members: Pick<Members, 'known' | 'learnPoint' | 'refreshGroup'>;
  readonly credentials: Credentials | undefined;
  readonly clock: Pick<ProcessClock, 'wallMs'>;
  readonly skews: Pick<ClockSkews, 'answered' | 'ask'>;
}

interface CutRequest {
  readonly round: string;
  readonly group: GroupId;
  readonly holdMs: number;
}

type SplitterCalls = Calls<typeof splitterApi>;

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #clients = new Map<string, SplitterCalls>();
  /** The end of each group's newest round: the group's next round starts after it. */
  readonly #last = new Map<GroupId, Promise<unknown>>();
  readonly #skipped = new Map<GroupId, number>();
  readonly #lastPoint = new Map<GroupId, { readonly id: string; readonly atMs: number }>();
  /** Periodic rounds in progress. A point on demand aborts that of its group instead of waiting. */
  readonly #yielding = new Map<GroupId, AbortController>();
  #count = 0;
  #faults: RoundFaults = { unconfirmed: false };

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  get faults(): RoundFaults {
    return this.#faults;
  }

  setFaults(faults: RoundFaults): void {
    this.#faults = faults;
  }

  skippedOf(group: GroupId): number {
    return this.#skipped.get(group) ?? 0;
  }

  lastPointOf(group: GroupId): { readonly id: string; readonly atMs: number } | undefined {
    return this.#lastPoint.get(group);
  }

  /**
   * Closes a point, after the group's earlier rounds have ended. Undefined if a volume of
   * `mustHave` is not attached or not in the cut, and for a periodic point that gave way to one on
   * demand.
   * @throws MoverError UNREACHABLE (a splitter did not answer), CUT_VOID (a splitter's hold ended
   * too early), LINK_DOWN, GROUP_NOT_FOUND
   */
  async close(request: RoundRequest): Promise<RecoveryPoint | undefined> {
    const { group, kind, mustHave = [] } = request;
    // A volume that isn't attached is in no cut yet. The caller asks again, and periodic points go
    // on meanwhile.
    if (!mustHave.every((volume) => this.#options.relays.isAttached(volume))) return undefined;
    if (kind === 'demand') this.#yielding.get(group)?.abort();
    const before = this.#last.get(group) ?? Promise.resolve();
    const round = before
      .then(async () => (kind === 'demand' ? this.#close(request) : this.#closeUnlessAsked(request)))
      .catch((error: unknown) => {
        throw ownRefusal(error, 'An appliance needs the role replicate at splitters.') ?? error;
      });
    const ended = round.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(group, ended);
    return round;
  }

  /** Closes a periodic point, or gives way to one on demand: it resolves to undefined then. */
  async #closeUnlessAsked(request: RoundRequest): Promise<RecoveryPoint | undefined> {
    // A signal that aborted while the group's earlier round ran fires no event here.
    request.signal?.throwIfAborted();
    const asked = new AbortController();
    const stop = (): void => asked.abort();
    request.signal?.addEventListener('abort', stop, { once: true });
    this.#yielding.set(request.group, asked);
    try {
      return await this.#close({ ...request, signal: asked.signal });
    } catch (error) {
      if (asked.signal.aborted) return undefined;
      throw error;
    } finally {
      this.#yielding.delete(request.group);
      request.signal?.removeEventListener('abort', stop);
    }
  }

  async #close({
    group,
    kind,
    waitMs,
    bookmark,
    keep,
    mustHave = [],
    signal,
  }: RoundRequest): Promise<RecoveryPoint | undefined> {
    const { site, members, skews } = this.#options;
    signal?.throwIfAborted();
    if (kind === 'demand') await members.refreshGroup(group, signal);
    const cut = await this.#cut(group);
    if (!mustHave.every((volume) => cut.cuts.some((entry) => entry.volume === volume))) return undefined;
    const named = { ...(bookmark === undefined ? {} : { bookmark }), ...(keep === undefined ? {} : { keep }) };
    const point = await site.call('closePoint', { group, kind, waitMs, ...cut, ...named }, signal);
    // Asked now, not before the call: the site waits for the cuts first and reads its clock at the
    // end.
    if (point.clock !== undefined) skews.answered('the replica site', skews.ask(), point.clock.wallMs);
    this.#lastPoint.set(group, { id: point.id, atMs: point.atMs });
    members.learnPoint(point);
    return point;
  }

  async #cut(group: GroupId): Promise<GroupCut> {
    const { name, relays, members } = this.#options;
    const volumes = members.known.membersOf(group);
    const splitters = relays.splittersOf(volumes);
    if (splitters.length === 0 && volumes.size > 0)
      throw new MoverError('UNREACHABLE', `No splitter that has volumes of group "${group}" is connected.`);
    this.#count += 1;
    const round = `${name}:${this.#count}`;
    try {
      const holdMs = this.#faults.unconfirmed ? 0 : holdMsFor(splitters.length);
      const request = { round, group, holdMs };
      const answers = await (holdMs > 0
        ? this.#confirmedAnswers(splitters, request)
        : this.#answers(splitters, request));
      return groupCut(answers, volumes, (volume) => relays.isAttached(volume), this.#options.clock.wallMs);
    } catch (error) {
      this.#skipped.set(group, this.skippedOf(group) + 1);
      throw error;
    }
  }

  /** Takes a cut at each splitter. @throws MoverError UNREACHABLE */
  async #answers(splitters: readonly SplitterAddress[], request: CutRequest): Promise<SplitterCut[]> {
    return Promise.all(splitters.map(async (splitter) => this.#takeCut(splitter, request)));
  }

  async #takeCut(splitter: SplitterAddress, request: CutRequest): Promise<SplitterCut> {
    const { skews } = this.#options;
    const asked = skews.ask();
    const answer = await this.#client(splitter).cut(request);
    skews.answered(`splitter ${splitter.splitter}`, asked, answer.atMs);
    return answer;
  }

  /** Takes a cut at each splitter; all must hold. @throws MoverError UNREACHABLE, CUT_VOID */
  async #confirmedAnswers(splitters: readonly SplitterAddress[], request: CutRequest): Promise<SplitterCut[]> {
    const taken = await Promise.allSettled(splitters.map(async (splitter) => this.#takeCut(splitter, request)));
    // Confirms even when one cut failed: the other splitters' guests need not wait until the hold
    // expires.
    const confirmed = Promise.allSettled(
      splitters.map(async (splitter, i) => {
        const answer = taken[i];
        const life = answer?.status === 'fulfilled' ? answer.value.life : undefined;
        return this.#client(splitter).confirmCut({ round: request.round, life });
      }),
    );
    const answers = taken.map(valueOf);
    for (const [i, { held }] of (await confirmed).map(valueOf).entries()) {
      if (!held)
        throw new MoverError(
          'CUT_VOID',
          `Splitter "${splitters[i]?.splitter}" did not hold until all cuts of group "${request.group}" were taken.`,
        );
    }
    return answers;
  }

  #client({ controlUrl }: SplitterAddress): SplitterCalls {
    const known = this.#clients.get(controlUrl);
    if (known !== undefined) return known;
    if (this.#clients.size >= CLIENTS_MAX) this.#clients.clear();
    const client = createApiClient(splitterApi, {
      baseUrl: controlUrl,
      credentials: this.#options.credentials,
      timeoutMs: SPLITTER_CALL_MS_MAX,
    });
    this.#clients.set(controlUrl, client);
    return client;
  }
}

function valueOf<Value>(settled: PromiseSettledResult<Value>): Value {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
