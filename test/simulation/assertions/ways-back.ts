// A move that can be reversed keeps its promise: the way back has room, and nothing is sent again.
// That its points stay is judged with each change of retention.
import { attemptName } from '../../../contracts/attempt.js';
import { openWaysBack } from '../../../simulator/replica-site/core/ways-back.js';
import type { World } from '../world.js';
import type { Told } from './endings.js';

/** Checks a move that took a way back, right when it ends. */
export function checkReversed(world: World, { move, end, back }: Told): void {
  if (back === undefined || world.hasSiteForgotten || world.hasSplitterForgotten) return;
  const { wayBack, record } = back;
  const was = world.recordOf(record.attempt)?.wayBack?.ended;
  if (end.kind === 'moved') {
    world.reaches('way back: reversed');
    // It may have run out, or been ended by hand, while the move back was under way.
    if (was === undefined || was.why === 'lost')
      throw new Error(`${move} reversed ${attemptName(record.attempt)}, whose way back is ${JSON.stringify(was)}`);
    for (const { volume, resentBytes } of end.report.volumes)
      if (resentBytes > 0 && !isDisturbed(world))
        throw new Error(`${move} took ${volume} back and sent ${resentBytes} bytes again`);
    return;
  }
  if (end.kind !== 'failed' || wayBack.untilMs <= world.siteMoment.ageMs || was !== undefined) return;
  const codes = [end.code, ...end.reasons.map(({ code }) => code)];
  const broken = codes.find((code) => code === 'GROUP_FULL' || code === 'GROUP_RETIRED' || code === 'STILL_REVERSIBLE');
  if (broken !== undefined) throw new Error(`${move} could not take an open way back: ${broken} (${end.message})`);
}

/** Whether something befell the run that makes splitters send again. */
function isDisturbed({ befell }: World): boolean {
  const harmless = new Set(['late duplicate', 'cancel', 'terminate', 'dead worker', 'hasty call']);
  return [...befell.keys()].some((kind) => !harmless.has(kind));
}

/** Nothing is kept for a way back any more. */
export function checkNoWayBack({ site, siteMoment, retention }: World): void {
  for (const { record } of openWaysBack(site.state, siteMoment.ageMs))
    throw new Error(`the way back of ${attemptName(record.attempt)} is still open`);
  // Rounds of retention note the ends.
  const [unended] = retention === undefined ? [] : site.state.unendedWaysBack();
  if (unended !== undefined)
    throw new Error(`nobody has noted the end of the way back of ${attemptName(unended.attempt)}`);
}
