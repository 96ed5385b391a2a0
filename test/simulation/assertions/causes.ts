// A move may fail only with a cause that the run's faults explain, and moves that nothing befell do
// not fail.
import type { ErrorCode } from '../../../contracts/errors.js';
import type { World } from '../world.js';
import type { Told } from './endings.js';

/** What can make a move fail, besides the faults of the world. */
interface Circumstances {
  /** Faults that stop or slow parts of the estate befell this run. */
  readonly disturbed: boolean;
  /** Other moves of its volumes ran at the same time, or its workflow was reset. */
  readonly crossed: boolean;
  /**
   * A mover was gone before: what it left behind lasts for a lease, and what it had begun may still
   * be done.
   */
  readonly haunted: boolean;
  readonly hasWindow: boolean;
  readonly steered: boolean;
  readonly smallGroups: boolean;
  /** A move before could be reversed. */
  readonly reversible: boolean;
  readonly forgetful: boolean;
  /** The site forgot an attempt of it by its age, while the mover still waited for an answer. */
  readonly outlived: boolean;
}

/**
 * What befalls a run without stopping or slowing a part of the estate. It explains no failure by
 * itself.
 */
const HARMLESS: ReadonlySet<string> = new Set(['late duplicate', 'cancel', 'terminate', 'clock set', 'hasty call']);

type Explains = (circumstances: Circumstances) => boolean;

const disturbed: Explains = (of) => of.disturbed;
const overtaken: Explains = (of) => of.crossed || of.haunted || of.forgetful;

/** Which circumstances explain a failure. A code that is not here is never explained. */
const EXPLAINED: Partial<Record<ErrorCode, Explains>> = {
  UNREACHABLE: disturbed,
  LINK_DOWN: disturbed,
  STORAGE_FULL: disturbed,
  GROUP_PAUSED: disturbed,
  LAG_TOO_LARGE: disturbed,
  NOT_SYNCED: disturbed,
  CUT_VOID: disturbed,
  FENCE_LAPSED: disturbed,
  NOT_FENCED: disturbed,
  NOT_NOTIFIED: disturbed,
  NOT_DRAINED: disturbed,
  NOT_SEALED: disturbed,
  ATTEMPT_ABORTED: (of) => of.disturbed || of.crossed || of.hasWindow,
  VOLUME_BUSY: (of) => of.crossed || of.haunted || of.disturbed,
  PENDING_VERDICT: (of) => of.crossed || of.haunted || of.disturbed,
  WINDOW_CLOSED: (of) => of.hasWindow,
  MOVE_ABORTED: (of) => of.steered,
  GROUP_FULL: (of) => of.smallGroups,
  STILL_REVERSIBLE: (of) => of.reversible,
  ALREADY_THERE: overtaken,
  NOT_OWNER: overtaken,
  EPOCH_MISMATCH: overtaken,
  STALE_ATTEMPT: (of) => overtaken(of) || of.outlived,
  // Volumes of one group when they were chosen, and of several when the move began.
  INVALID_REQUEST: overtaken,
  ATTEMPT_COMMITTED: (of) => of.crossed,
  // A site that came back older may have forgotten the move, or that it was committed.
  ATTEMPT_NOT_FOUND: (of) => of.forgetful,
  ATTEMPT_MISMATCH: (of) => of.forgetful,
};

function isOutlived({ retention }: World, move: string): boolean {
  return [...(retention?.forgottenAttempts.keys() ?? [])].some((name) => name.startsWith(`${move}#`));
}

export function checkCauses(world: World, told: readonly Told[], smallGroups: boolean): void {
  const isDisturbed = [...world.befell.keys()].some((kind) => !HARMLESS.has(kind));
  let haunted = false;
  const reversible = told.some((tale) => tale.reversible);
  for (const { move, end, crossed, reset, hasWindow, steered } of told) {
    if (end.kind === 'failed') {
      const circumstances: Circumstances = {
        disturbed: isDisturbed,
        crossed: crossed || reset,
        haunted,
        hasWindow,
        steered,
        smallGroups,
        reversible,
        forgetful: world.hasSiteForgotten || world.hasSplitterForgotten,
        outlived: isOutlived(world, move),
      };
      const codes = end.code === 'MOVE_REFUSED' ? end.reasons.map(({ code }) => code) : [end.code];
      const unexplained = codes.filter((code) => code === undefined || EXPLAINED[code]?.(circumstances) !== true);
      if (unexplained.length > 0)
        throw new Error(
          `${move} failed with ${String(end.code)} (${end.message}), and ${unexplained.join(', ')} is not explained by ${JSON.stringify(circumstances)}`,
        );
      world.reaches(`a move failed: ${end.code}`);
    }
    haunted ||= end.kind === 'terminated' || crossed || reset;
  }
}
