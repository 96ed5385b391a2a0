// The SDK's doctor: finds what moves left behind that no longer run, and mends what is safe.
import type { Verdict } from '../../contracts/attempt.js';
import type { MoveId } from '../../contracts/ids.js';
import type { ClosedHow } from './owner.js';

/** What kind of thing was found. */
export type FindingKind =
  /** The replica site has an attempt without a verdict. */
  | 'open attempt'
  /** A splitter holds writes back, or has been told of a move. */
  | 'fence'
  | 'notice'
  /** What an open attempt keeps at the replica site. */
  | 'pin'
  | 'reservation'
  /** A recovery point is open as disks, and nobody is connected. */
  | 'image access'
  | 'schedule'
  /** The estate file, the splitters, the appliances and the replica site differ. */
  | 'estate';

export interface Finding {
  readonly kind: FindingKind;
  /** The volume, group, point, attempt, access, schedule or process. */
  readonly subject: string;
  /** What was found, in a few words. */
  readonly what: string;
  /** The move or person that holds it; absent when nobody does. */
  readonly heldBy?: string;
  /** How the move's workflow ended; `unknown` when this Temporal server does not know it. */
  readonly owner?: ClosedHow | 'unknown';
  /** Milliseconds since 1970; absent when nobody noted it. */
  readonly sinceMs?: number;
  /** What it keeps from whom, as a sentence. */
  readonly blocks: string;
  /** What `fix` does about it, or what a person can do, as a sentence. */
  readonly action: string;
  /** Whether `fix` tries to end it. */
  readonly isFixable: boolean;
  /** Whether something is left behind or differs; false for what only deserves a look. */
  readonly isResidue: boolean;
}

export interface Examination {
  /** Whether nothing is left behind and nothing differs. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  /** Moves that run and hold something, which is theirs. */
  readonly running: readonly MoveId[];
}

/** How an attempt of a move that no longer runs came to its end. */
export interface SettledMove {
  readonly move: MoveId;
  readonly attempt: number;
  /** Whether it was left open, since its move may run elsewhere. */
  readonly isOpen: boolean;
  /** The replica site's verdict; absent when it gave none. */
  readonly verdict?: Verdict;
  /** What was done, as a sentence. */
  readonly done: string;
  /** What remains and why, as sentences; empty when nothing does. */
  readonly left: readonly string[];
}

export interface Mended extends Examination {
  /** What was done. The findings are what remains. */
  readonly settled: readonly SettledMove[];
}

export interface FixRequest {
  /** Who asks; kept as the reason in the record of each attempt. */
  readonly operator?: string | undefined;
  readonly reason?: string | undefined;
}

export interface DoctorClient {
  /**
   * Looks for what moves left behind whose workflows no longer run, for image accesses that nobody
   * uses, for schedules that name unknown groups, and for differences between the estate file and
   * what runs. Changes nothing.
   * @throws UNREACHABLE when Temporal or every appliance is silent
   */
  examine(): Promise<Examination>;
  /**
   * Examines, ends the attempts of moves that no longer run, and examines again. The replica site's
   * verdict decides: an open attempt is aborted, a committed one is completed. It asks Temporal
   * right before each one. An attempt whose workflow this Temporal server does not know is ended
   * only once its lease has run out. Safe to repeat, and safe beside running moves. The caller
   * needs the role `move`.
   * @throws UNREACHABLE; FORBIDDEN
   */
  fix(request?: FixRequest): Promise<Mended>;
}
