// Attempts that hold something although their moves no longer run, and how each comes to its end.
// The doctor and a move that takes over use it.
import {
  findHeldAttempts,
  type FoundAttempts,
  type HeldAttempt,
  settleAttempt,
  type Settled,
} from '../../activities/settle.js';
import { attemptName } from '../../contracts/attempt.js';
import type { MoveId } from '../../contracts/ids.js';
import type { Ports } from '../../control/ports.js';
import type { TemporalAccess } from '../temporal/connection.js';
import type { FixRequest, SettledMove } from './doctor-client.js';
import { leavesNoReport, storeEnding } from './ending.js';
import { ownerOf, type Owner } from './owner.js';
import { type DeadOwner, isProtected } from './residue.js';

/** An attempt that holds something although its move no longer runs. */
export interface DeadAttempt {
  readonly held: HeldAttempt;
  readonly owner: DeadOwner;
}

/** What a look at all attempts found. */
export interface Looked {
  readonly dead: readonly DeadAttempt[];
  /** Attempts of moves that run. */
  readonly alive: readonly HeldAttempt[];
  /** Open attempts whose records the replica site can't read. */
  readonly unreadable: readonly string[];
}

export interface DeadAttemptsOptions {
  readonly temporal: () => Promise<Pick<TemporalAccess, 'client'>>;
  readonly ports: Ports;
}

export class DeadAttempts {
  readonly #options: DeadAttemptsOptions;

  constructor(options: DeadAttemptsOptions) {
    this.#options = options;
  }

  /**
   * Looks twice: what a move that ended meanwhile let go of between two questions is not dead.
   * @param isMeant leaves out attempts that do not matter, so that Temporal is not asked about them
   * @throws MoverError UNREACHABLE when Temporal or every appliance is silent
   */
  async look(isMeant: (held: HeldAttempt) => boolean = () => true): Promise<Looked> {
    const judged = async (): Promise<Looked> => {
      const { attempts, ...rest } = await findHeldAttempts(this.#options.ports);
      return await this.#judged({ ...rest, attempts: attempts.filter(isMeant) });
    };
    const first = await judged();
    if (first.dead.length === 0) return first;
    const seen = new Set(first.dead.map(({ held }) => attemptName(held.attempt)));
    const again = await judged();
    return { ...again, dead: again.dead.filter(({ held }) => seen.has(attemptName(held.attempt))) };
  }

  async #judged({ attempts, unreadable }: FoundAttempts): Promise<Looked> {
    const owners = new Map<MoveId, Owner>();
    for (const { attempt } of attempts)
      if (!owners.has(attempt.move)) owners.set(attempt.move, await this.ownerOf(attempt.move));
    const dead = attempts.flatMap((held): DeadAttempt[] => {
      const owner = owners.get(held.attempt.move);
      return owner === undefined || owner.state === 'running' ? [] : [{ held, owner }];
    });
    const alive = attempts.filter(({ attempt }) => owners.get(attempt.move)?.state === 'running');
    return { dead, alive, unreadable };
  }

  /** @throws MoverError UNREACHABLE, UNAUTHORIZED, FORBIDDEN */
  async ownerOf(move: MoveId): Promise<Owner> {
    return await ownerOf((await this.#options.temporal()).client, move);
  }

  /**
   * Ends one attempt. It asks Temporal once more, since somebody may have reset the workflow.
   * @returns undefined when the move runs again
   * @throws MoverError UNREACHABLE, FORBIDDEN
   */
  async settle({ held }: DeadAttempt, request: FixRequest): Promise<SettledMove | undefined> {
    const { move, n } = held.attempt;
    const owner = await this.ownerOf(move);
    if (owner.state === 'running') return undefined;
    const settled = await settleAttempt(this.#options.ports, held, {
      reason: `the move's workflow ${ownerText(owner)}; ${requestText(request)}`,
      onlyIfExpired: owner.state === 'unknown',
    });
    const { state, left } = settled;
    const verdict = state === 'COMMITTED' || state === 'ABORTED' ? state : undefined;
    const remains = state === 'OPEN' ? [...left, openText(isProtected(held, owner))] : left;
    const done: SettledMove = {
      move,
      attempt: n,
      isOpen: state === 'OPEN',
      ...(verdict === undefined ? {} : { verdict }),
      done: doneText(settled),
      left: remains,
    };
    return { ...done, left: [...remains, ...(await this.#report(owner, done, settled))] };
  }

  /** Leaves the report that the move could not. @returns why there is none, as a sentence */
  async #report(owner: DeadOwner, settled: SettledMove, { record }: Settled): Promise<string[]> {
    if (owner.state !== 'closed' || settled.isOpen || !leavesNoReport(owner.how)) return [];
    const { client } = await this.#options.temporal();
    try {
      await storeEnding(client, this.#options.ports, { run: owner.run, how: owner.how, record, settled });
      return [];
    } catch (error) {
      return [`Its report could not be stored: ${error instanceof Error ? error.message : String(error)}`];
    }
  }
}

function ownerText(owner: DeadOwner): string {
  if (owner.state === 'unknown') return 'is not known to Temporal';
  return owner.how === 'failed' || owner.how === 'timed out' ? owner.how : `was ${owner.how}`;
}

/** Who cleans up, and why. @example "cleaned up by ann: the host was rebuilt" */
function requestText({ operator, reason }: FixRequest): string {
  return `cleaned up${operator === undefined ? '' : ` by ${operator}`}${reason === undefined ? '' : `: ${reason}`}`;
}

function openText(isWaiting: boolean): string {
  return isWaiting
    ? 'Its lease still runs, and this Temporal server does not know the move: it may run elsewhere.'
    : 'Its lease was renewed meanwhile: somebody works on it.';
}

/** @example "Aborted: vm-1-disk-0 stays in cg-gold, with all its recovery points." */
function doneText({ state, record }: Settled): string {
  const volumes = record?.contents?.volumes.map(({ volume }) => volume) ?? [];
  const names = volumes.length === 0 ? 'its volumes' : volumes.join(', ');
  switch (state) {
    case 'COMMITTED':
      return `Completed: the move was committed, and group ${record?.contents?.to ?? 'of the target'} owns ${names}.`;
    case 'ABORTED':
      return `Aborted: ${names} ${volumes.length === 1 ? 'stays' : 'stay'} in ${record?.contents?.from ?? 'the old group'}, with all recovery points.`;
    case 'OPEN':
      return 'Left open.';
    case 'FORGOTTEN':
      return 'Over already: the replica site has forgotten how it ended.';
  }
}
