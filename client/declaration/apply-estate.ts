// `estate apply`: makes the steps. Every one is asked for first; then they are made in order. Each
// may be repeated, so a kill in between costs a repetition.
import type { Ports } from '../../control/ports.js';
import { findVolume, type GroupPlace } from '../../control/site-lookup.js';
import type { Estate } from '../../contracts/estate.js';
import { MoverError, type Reason } from '../../contracts/errors.js';
import { type GroupId, volumeIdSchema, type VolumeId } from '../../contracts/ids.js';
import type { Changed } from '../../contracts/lifecycle.js';
import {
  addGroup,
  addVolume,
  growVolume,
  refuse,
  retireGroup,
  retireVolume,
  setGroup,
  setVolume,
} from '../volumes/lifecycle.js';
import { type Step, stepsToApply, stepText, subjectOf } from './apply-steps.js';
import { compareEstate, type Difference, type EstateSituation } from './compare-estate.js';
import { situationOf } from './situation.js';

export interface ApplyOrder {
  readonly declaration?: Estate | undefined;
  /** Volumes and groups that the file leaves out, to be retired. All others stay protected. */
  readonly retire?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
  /** Called after each step. */
  readonly onStep?: ((step: AppliedStep) => void) | undefined;
}

/** One step of an application. */
export interface AppliedStep {
  readonly kind: Step['kind'];
  /** The volume or group. */
  readonly subject: VolumeId | GroupId;
  /** What is done, in a few words. */
  readonly text: string;
}

export interface EstateApplied {
  /** The steps that were made, or would be. */
  readonly steps: readonly AppliedStep[];
  /** Differences that stay, each with what to do. */
  readonly left: readonly Difference[];
}

/** @throws MoverError CHANGE_REFUSED with every reason, nothing changed; UNREACHABLE */
export async function applyEstate(
  ports: Ports,
  { declaration, retire = [], dryRun = false, onStep }: ApplyOrder & { readonly declaration: Estate },
): Promise<EstateApplied> {
  const named = new Set(retire);
  const running = await withRetired(ports, await situationOf(ports, declaration), named);
  const { steps, left, reasons } = stepsToApply(declaration, running, named);
  refuse('The estate file cannot be applied', [...reasons, ...(await reasonsAgainst(ports, steps, running, named))]);
  const applied = steps.map((step) => ({ kind: step.kind, subject: subjectOf(step), text: stepText(step) }));
  if (dryRun) return { steps: applied, left };
  for (const [i, step] of steps.entries()) {
    await make(ports, step, false);
    const done = applied[i];
    if (done !== undefined) onStep?.(done);
  }
  if (steps.length === 0) return { steps: applied, left };
  const after = await situationOf(ports, declaration);
  return { steps: applied, left: compareEstate(declaration, after).differences };
}

/** Also knows which of the named volumes are retired already. */
async function withRetired(
  ports: Ports,
  running: EstateSituation,
  named: ReadonlySet<string>,
): Promise<EstateSituation> {
  const retired = new Set(running.retired);
  for (const name of named) {
    const { data: volume } = volumeIdSchema.safeParse(name);
    if (volume === undefined || running.volumes.some((known) => known.volume === volume)) continue;
    if ((await findVolume(ports, volume))?.retired !== undefined) retired.add(volume);
  }
  return { ...running, retired };
}

/** What stands against the steps, apart from what the steps before it remove. */
async function reasonsAgainst(
  ports: Ports,
  steps: readonly Step[],
  running: EstateSituation,
  retire: ReadonlySet<string>,
): Promise<Reason[]> {
  const planned = new Map<GroupId, GroupPlace>(
    steps.flatMap(({ kind, order }) => (kind === 'add-group' ? [[order.group, order]] : [])),
  );
  const reasons: Reason[] = [];
  for (const step of steps) {
    const isRemoved = ({ code, subject }: Reason): boolean => {
      if (step.kind === 'add-volume')
        return (
          // The room of all additions together is counted before.
          code === 'GROUP_FULL' ||
          (subject === step.order.group &&
            planned.has(step.order.group) &&
            (code === 'GROUP_NOT_FOUND' || code === 'GROUP_RETIRED'))
        );
      return step.kind === 'retire-group' && code === 'GROUP_IN_USE' && isEmptied(step.order.group, running, retire);
    };
    try {
      await make(ports, step, true, planned);
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      const { code, message } = error;
      const given = error.reasons.length > 0 ? error.reasons : [{ code, subject: subjectOf(step), message }];
      reasons.push(...given.filter((reason) => !isRemoved(reason)));
    }
  }
  return reasons;
}

/** Whether all volumes of the group are retired before it. */
function isEmptied(group: GroupId, { volumes }: EstateSituation, retire: ReadonlySet<string>): boolean {
  return volumes.filter((volume) => volume.group === group).every(({ volume }) => retire.has(volume));
}

async function make(
  ports: Ports,
  { kind, order }: Step,
  dryRun: boolean,
  planned?: ReadonlyMap<GroupId, GroupPlace>,
): Promise<Changed> {
  switch (kind) {
    case 'add-group':
      return addGroup(ports, { ...order, dryRun });
    case 'set-group':
      return setGroup(ports, { ...order, dryRun });
    case 'set-volume':
      return setVolume(ports, { ...order, dryRun });
    case 'grow-volume':
      return growVolume(ports, { ...order, dryRun });
    case 'add-volume':
      return addVolume(ports, { ...order, dryRun }, planned);
    case 'retire-volume':
      return retireVolume(ports, { ...order, dryRun });
    case 'retire-group':
      return retireGroup(ports, { ...order, dryRun });
  }
}
