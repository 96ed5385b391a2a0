// An instant at which every clock of a process says the same, for rules that are given the time.
import type { SiteMoment } from '../../simulator/replica-site/core/terms.js';

export function momentAt(ms: number): SiteMoment {
  return { monotonicMs: ms, wallMs: ms, ageMs: ms };
}
