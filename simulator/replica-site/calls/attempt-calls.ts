// The steps of a move at the replica site.
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import * as attempts from '../core/attempts.js';
import { pageOfOpenAttempts, pageOfWaysBack } from '../core/listings.js';
import { finalizeMove } from '../core/ways-back.js';
import type { Journals } from '../journals.js';
import type { Site } from '../site.js';

type AttemptCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  | 'ticketFloor'
  | 'openAttempts'
  | 'open'
  | 'renew'
  | 'drain'
  | 'seal'
  | 'bookmark'
  | 'adopt'
  | 'resolve'
  | 'get'
  | 'join'
  | 'waysBack'
  | 'finalize'
>;

export function attemptCalls(site: Site, journals: Journals): AttemptCalls {
  const { state } = site;
  return {
    ticketFloor: () => ({ floor: state.nextTicket }),
    openAttempts: (input) => {
      const { items: open, ...rest } = pageOfOpenAttempts(state, input, site.now.monotonicMs);
      return { attempts: open, ...rest };
    },
    open: (input) => site.change((state, now) => attempts.openAttempt(state, input, now)),
    renew: ({ attempt, leaseMs }) =>
      site.change((state, now) => attempts.renewAttempt(state, attempt, leaseMs, now.monotonicMs)),
    drain: async ({ attempt, cuts }) => {
      await journals.require(cuts.map((cut) => cut.volume));
      return attempts.drainProgress(state, attempt, cuts);
    },
    seal: async ({ attempt, cuts, atMs, doubt, others, leaseMs, applicationConsistent }) => {
      await journals.require(cuts.map((cut) => cut.volume));
      await journals.openAll(others.map((cut) => cut.volume));
      const known = others.filter((cut) => !journals.unusable.has(cut.volume));
      return site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.sealAttempt(state, attempt, cuts, known, atMs, { now, doubt, applicationConsistent });
      });
    },
    bookmark: ({ attempt, leaseMs, ...left }) =>
      site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.bookmarkAttempt(state, attempt, left);
      }),
    adopt: ({ attempt, leaseMs }) =>
      site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.adoptAttempt(state, attempt, now);
      }),
    resolve: (input) => site.change((state, now) => attempts.answerVerdict(state, input, now)),
    get: (attempt) => attempts.getAttempt(state, attempt),
    waysBack: (input) => {
      const { items: waysBack, ...rest } = pageOfWaysBack(state, input, site.now.ageMs);
      return { waysBack, ...rest };
    },
    finalize: (input) => site.change((changed, now) => finalizeMove(changed, input, now)),
    join: ({ attempt, point }) => site.change((state) => attempts.joinAttempt(state, attempt, point)),
  };
}
