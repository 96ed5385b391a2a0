// The orchestrator as plain data: the saga's order of calls, and giving up at any instant. A failed
// call needs no rule of its own, since it may give up whenever it waits.
import type { AttemptRef, AttemptVolume, Cut, Endpoint, TicketedAttempt } from '../../contracts/attempt.js';
import { attemptName } from '../../contracts/attempt.js';
import type { SplitterId, VolumeId } from '../../contracts/ids.js';
import { HOLD_MS_MAX } from '../../contracts/splitter-api.js';
import type { SiteInput } from './site-part.js';
import { LEASE_MS, type SplitterInput } from './splitter-part.js';

/** One attempt of one move. */
export interface Try {
  readonly attempt: AttemptRef;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly volumes: readonly AttemptVolume[];
}

export type Phase =
  | 'open'
  | 'notify'
  | 'fence'
  | 'confirm'
  | 'seal'
  | 'bookmark'
  | 'adopt'
  | 'resolve'
  | 'learnCommitted'
  | 'learnAborted'
  | 'join'
  | 'done';

/** What the mover knows, and what it waits for. */
export interface MoverState {
  /** Index of the current try. */
  readonly at: number;
  readonly phase: Phase;
  readonly ticket: number;
  /** Splitters whose answer has arrived. */
  readonly answered: readonly SplitterId[];
  readonly cuts: readonly Cut[];
  readonly others: readonly Cut[];
  /** A splitter answered that it did not hold: the only way on is to give up. */
  readonly isVoid: boolean;
}

/** A call on its way. It may arrive any number of times, at any time, or never. */
export type Request = SiteRequest | SplitterRequest;

interface SiteRequest {
  readonly key: string;
  readonly isAtSite: true;
  readonly input: SiteInput;
}

export interface SplitterRequest {
  readonly key: string;
  readonly isAtSite: false;
  readonly splitter: SplitterId;
  readonly input: SplitterInput;
}

/** An answer that says yes. Refusals are not kept. */
export interface Answer {
  readonly request: string;
  readonly ticket?: number;
  readonly cuts?: readonly Cut[];
  readonly others?: readonly Cut[];
  readonly held?: boolean;
  readonly state?: 'OPEN' | 'COMMITTED' | 'ABORTED';
  /** Whether the record says what the attempt is about: a tombstone does not. */
  readonly hasContents?: boolean;
  /** The site has forgotten how the attempt ended: so the mover ends, too. */
  readonly isForgotten?: boolean;
}

/** Ways to change the saga, to show that the search notices. */
export interface MoverFlaws {
  /** Cuts of several splitters are not confirmed. */
  readonly skipsConfirm?: boolean;
  /** Splitters are told the commit before it is made. */
  readonly teachesFirst?: boolean;
}

export const MOVER_START: MoverState = {
  at: 0,
  phase: 'open',
  ticket: 0,
  answered: [],
  cuts: [],
  others: [],
  isVoid: false,
};

export class Mover {
  readonly #tries: readonly Try[];
  readonly #flaws: MoverFlaws;
  readonly #hasFloors: boolean;

  /** @param hasFloors whether calls carry the ticket floor of their attempt */
  constructor(tries: readonly Try[], flaws: MoverFlaws, hasFloors = false) {
    this.#tries = tries;
    this.#flaws = flaws;
    this.#hasFloors = hasFloors;
  }

  /** The next ticket when the try was planned: each try before it has taken one. */
  #floorOf({ at }: MoverState): { readonly floor?: number } {
    return this.#hasFloors ? { floor: at + 1 } : {};
  }

  tryOf({ at }: MoverState): Try {
    const found = this.#tries[at];
    if (found === undefined) throw new Error(`there is no try ${at}`);
    return found;
  }

  #splitters(state: MoverState): SplitterId[] {
    return [...new Set(this.tryOf(state).volumes.map(({ splitter }) => splitter))];
  }

  /** The calls of the current phase. */
  requests(state: MoverState): Request[] {
    const { phase } = state;
    if (phase === 'done' || phase === 'join') return [];
    const current = this.tryOf(state);
    const { attempt, from, to } = current;
    const name = attemptName(attempt);
    const ticketed: TicketedAttempt = { ...attempt, ticket: state.ticket };
    const site = (input: SiteInput): Request[] => [{ key: input.key, isAtSite: true, input }];
    const each = (make: (volumes: AttemptVolume[]) => SplitterInput): Request[] =>
      this.#splitters(state).map((splitter) => {
        const input = make(current.volumes.filter((bound) => bound.splitter === splitter));
        return { key: `${input.key} at ${splitter}`, isAtSite: false, splitter, input };
      });
    const ids = (volumes: readonly AttemptVolume[]): VolumeId[] => volumes.map(({ volume }) => volume);
    switch (phase) {
      case 'open': {
        const { volumes } = current;
        const terms = { leaseMs: LEASE_MS, deadlineAfterMs: LEASE_MS };
        const input = { attempt, volumes, from: from.group, to: to.group, ...terms, ...this.#floorOf(state) };
        return site({ key: `open ${name}`, do: 'open', input });
      }
      case 'notify':
        return each((volumes) => {
          const input = { attempt: ticketed, volumes, from, to, resolvers: [from.url, to.url] };
          return { key: `notify ${name} t${state.ticket}`, do: 'notify', input };
        });
      case 'fence':
        return each((volumes) => {
          const holdMs = this.#splitters(state).length > 1 ? HOLD_MS_MAX : 0;
          const input = { attempt: ticketed, volumes: ids(volumes), leaseMs: LEASE_MS, holdMs };
          return { key: `fence ${name} t${state.ticket}`, do: 'fence', input };
        });
      case 'confirm':
        return each(() => ({ key: `confirm ${name} t${state.ticket}`, do: 'confirm', input: { attempt: ticketed } }));
      case 'seal': {
        const { cuts, others } = state;
        const at = cuts.map(({ volume, session, n }) => `${volume}=${session}.${n}`).join();
        return site({ key: `seal ${name} ${at}`, do: 'seal', attempt, cuts, others });
      }
      case 'bookmark':
      case 'adopt':
        return site({ key: `${phase} ${name}`, do: phase, attempt });
      case 'resolve':
        return site({ key: `resolve ${name}`, do: 'resolve', attempt, ...this.#floorOf(state) });
      case 'learnCommitted':
      case 'learnAborted': {
        const verdict = phase === 'learnCommitted' ? 'COMMITTED' : 'ABORTED';
        return each((volumes) => ({
          key: `learn ${name} t${state.ticket} ${verdict}`,
          do: 'learn',
          input: { attempt: ticketed, verdict, volumes, to },
        }));
      }
    }
  }

  /** Takes an answer to a call of the current phase; undefined if it is none. */
  take(state: MoverState, answer: Answer): MoverState | undefined {
    const request = this.requests(state).find(({ key }) => key === answer.request);
    if (request === undefined || state.isVoid) return undefined;
    const { phase } = state;
    const told: MoverState = {
      ...state,
      ticket: answer.ticket ?? state.ticket,
      cuts: answer.cuts === undefined ? state.cuts : inOrder([...state.cuts, ...answer.cuts]),
      others: answer.others === undefined ? state.others : inOrder([...state.others, ...answer.others]),
    };
    if (request.isAtSite) return this.#after(told, phase, answer);
    if (state.answered.includes(request.splitter)) return undefined;
    if (answer.held === false) return { ...told, isVoid: true };
    const answered = [...told.answered, request.splitter].toSorted((a, b) => (a < b ? -1 : 1));
    const isWhole = answered.length === this.#splitters(state).length;
    return isWhole ? this.#after(told, phase, answer) : { ...told, answered };
  }

  #after(told: MoverState, phase: Phase, answer: Answer): MoverState | undefined {
    const { state: verdict, hasContents, isForgotten } = answer;
    const goTo = (next: Phase): MoverState => ({ ...told, phase: next, answered: [], isVoid: false });
    const isOne = this.#splitters(told).length === 1;
    switch (phase) {
      case 'open':
        return verdict === 'OPEN' ? goTo('notify') : undefined;
      case 'notify':
        return goTo('fence');
      case 'fence':
        return isOne || this.#flaws.skipsConfirm === true ? goTo('seal') : goTo('confirm');
      case 'confirm':
        return goTo('seal');
      case 'seal':
        return goTo('bookmark');
      case 'bookmark':
        return goTo(this.#flaws.teachesFirst === true ? 'learnCommitted' : 'adopt');
      case 'adopt':
        return goTo(this.#flaws.teachesFirst === true ? 'join' : 'learnCommitted');
      case 'resolve':
        if (isForgotten === true) return { ...MOVER_START, at: told.at, phase: 'done' };
        if (verdict === 'COMMITTED') return goTo('learnCommitted');
        return hasContents === true ? goTo('learnAborted') : this.#nextTry(told, true);
      case 'learnCommitted':
        return goTo(this.#flaws.teachesFirst === true ? 'adopt' : 'join');
      case 'learnAborted':
        return this.#nextTry(told, true);
      case 'join':
      case 'done':
        return undefined;
    }
  }

  /** The move is over for this mover: it joined. */
  joined(state: MoverState): MoverState {
    return this.#nextTry(state, false);
  }

  /** A new attempt of the move that was aborted, or the move after one that is done. */
  #nextTry(state: MoverState, wasAborted: boolean): MoverState {
    const { attempt } = this.tryOf(state);
    const at = this.#tries.findIndex((next, i) => i > state.at && (next.attempt.move === attempt.move) === wasAborted);
    return at < 0 ? { ...MOVER_START, at: state.at, phase: 'done' } : { ...MOVER_START, at };
  }

  /** Cancelled, late or refused: asks for the verdict. Undefined where it never gives up. */
  giveUp(state: MoverState): MoverState | undefined {
    const forward: readonly Phase[] = ['open', 'notify', 'fence', 'confirm', 'seal', 'bookmark', 'adopt'];
    return forward.includes(state.phase) ? { ...state, phase: 'resolve', answered: [], isVoid: false } : undefined;
  }
}

function inOrder(cuts: readonly Cut[]): Cut[] {
  return [...cuts].toSorted((a, b) => (a.volume < b.volume ? -1 : 1));
}
