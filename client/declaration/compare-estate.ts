// The plan of an estate: how its file differs from what splitters, appliances and replica site
// have. A pure function of the file and of what each answered.
import { isDeepStrictEqual } from 'node:util';
import { ERRORS, isSilence, MoverError } from '../../contracts/errors.js';
import type { Estate, EstateGroup, EstateVolume } from '../../contracts/estate.js';
import type { ApplianceId, GroupId, SplitterId, VolumeId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { RetiredProcesses } from '../../control/site-lookup.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import { addGroupCommand, addVolumeCommand, setGroupCommand, setVolumeCommand } from './commands.js';

const MIB = 1024 * 1024;

/** What a splitter has of one volume. */
export interface ServedVolume {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  /** The group that its writes are sent to. */
  readonly group: GroupId;
  /** The appliance that its writes go through. */
  readonly appliance: ApplianceId;
}

export interface SplitterSituation {
  readonly served: readonly ServedVolume[];
  readonly unusable: readonly { readonly volume: VolumeId; readonly reason: string }[];
}

/** What runs. For a process that did not answer: the error that says why. */
export interface EstateSituation {
  readonly groups: readonly SiteGroup[];
  readonly volumes: readonly InventoryVolume[];
  /** Volumes that a person retired, of those that were asked about. */
  readonly retired: ReadonlySet<VolumeId>;
  readonly retiredProcesses: RetiredProcesses;
  /** Volumes whose rows the replica site can't read, with why, of those that were asked about. */
  readonly unreadable?: ReadonlyMap<VolumeId, string>;
  readonly splitters: ReadonlyMap<SplitterId, SplitterSituation | Error>;
  /** The groups that each appliance serves; undefined if it doesn't tell. */
  readonly appliances: ReadonlyMap<ApplianceId, readonly GroupId[] | undefined | Error>;
}

export type DifferenceCode =
  /** A process of the file does not answer. */
  | 'SPLITTER_SILENT'
  | 'APPLIANCE_SILENT'
  /** It answers, but does not tell what it has. */
  | 'PROCESS_REFUSED'
  /** The replica site can't read its row. */
  | 'VOLUME_UNUSABLE'
  /** The replica site does not have what the file or a splitter has. */
  | 'GROUP_MISSING'
  | 'VOLUME_MISSING'
  /** The file has what a person retired. */
  | 'GROUP_RETIRED'
  | 'VOLUME_RETIRED'
  | 'APPLIANCE_RETIRED'
  | 'SPLITTER_RETIRED'
  /** The file leaves out what is protected. */
  | 'APPLIANCE_UNDECLARED'
  | 'SPLITTER_UNDECLARED'
  | 'GROUP_UNDECLARED'
  | 'VOLUME_UNDECLARED'
  /** Both have it, with other values. */
  | 'GROUP_SETTINGS'
  | 'GROUP_APPLIANCE'
  | 'VOLUME_SIZE'
  | 'VOLUME_SPLITTER'
  | 'VOLUME_NAMES'
  /** Splitter, appliance and site disagree. */
  | 'GROUP_UNSERVED'
  | 'VOLUME_UNSERVED'
  | 'VOLUME_ROUTE';

/** One difference. */
export interface Difference {
  readonly code: DifferenceCode;
  /** The id of the volume, group, appliance or splitter. */
  readonly subject: string;
  /** What differs, as a sentence. */
  readonly message: string;
  /** What to do, as a sentence. */
  readonly action: string;
  /** Whether something is not protected because of it. */
  readonly unprotected: boolean;
}

export interface EstatePlan {
  /** Whether nothing differs. */
  readonly ok: boolean;
  /** Those that cost protection come first. */
  readonly differences: readonly Difference[];
  /** Volumes that moved out of the group they started in, which the file may go on naming. */
  readonly moved: readonly { readonly volume: VolumeId; readonly declared: GroupId; readonly group: GroupId }[];
}

/** A volume of the file, with the splitter that it stands under. */
export interface DeclaredVolume extends EstateVolume {
  readonly splitter: SplitterId;
}

/** The volumes of the file. */
export function declaredVolumes({ splitters }: Estate): ReadonlyMap<VolumeId, DeclaredVolume> {
  return new Map(
    splitters.flatMap(({ id, volumes }) =>
      volumes.map((volume): [VolumeId, DeclaredVolume] => [volume.id, { ...volume, splitter: id }]),
    ),
  );
}

/** Compares the file with what runs. */
export function compareEstate(file: Estate, running: EstateSituation): EstatePlan {
  const declared = declaredVolumes(file);
  const found = [
    ...processDifferences(file, running),
    ...groupDifferences(file, running),
    ...volumeDifferences(file, declared, running),
  ];
  const differences = found.toSorted((a, b) => Number(b.unprotected) - Number(a.unprotected));
  const moved = running.volumes.flatMap(({ volume, group }) => {
    const before = declared.get(volume)?.group;
    return before === undefined || before === group ? [] : [{ volume, declared: before, group }];
  });
  return { ok: differences.length === 0, differences, moved };
}

function* processDifferences(file: Estate, running: EstateSituation): Generator<Difference, void> {
  const { splitters, appliances, retiredProcesses: retired } = running;
  for (const { id } of file.splitters)
    if (retired.splitters.has(id))
      yield {
        code: 'SPLITTER_RETIRED',
        subject: id,
        message: `Splitter "${id}" is in the file, but was retired: no volume can be added at it.`,
        action: `Remove it from the file, or bring it back: volume-mover splitter add ${id}`,
        unprotected: false,
      };
  for (const { id } of file.appliances)
    if (retired.appliances.has(id))
      yield {
        code: 'APPLIANCE_RETIRED',
        subject: id,
        message: `Appliance "${id}" is in the file, but was retired: no group can be given to it.`,
        action: `Remove it from the file, or bring it back: volume-mover appliance add ${id}`,
        unprotected: false,
      };
  for (const [id, answer] of [...splitters, ...appliances])
    if (answer instanceof MoverError && !isSilent(answer))
      yield {
        code: 'PROCESS_REFUSED',
        subject: id,
        message: `"${id}" does not tell what it has: ${answer.message}`,
        action: answer.action,
        unprotected: false,
      };
  for (const [id, answer] of splitters)
    if (answer instanceof Error && isSilent(answer) && !retired.splitters.has(id))
      yield {
        code: 'SPLITTER_SILENT',
        subject: id,
        message: `Splitter "${id}" does not answer, so nothing is known of its volumes: ${answer.message}`,
        action: 'Start it, or look at its log.',
        unprotected: true,
      };
  for (const [id, answer] of appliances)
    if (answer instanceof Error && isSilent(answer) && !retired.appliances.has(id))
      yield {
        code: 'APPLIANCE_SILENT',
        subject: id,
        message: `Appliance "${id}" does not answer, so no points of its groups are closed: ${answer.message}`,
        action: 'Start it, or look at its log.',
        unprotected: true,
      };
}

/** Whether the process did not answer. Any other error is an answer. */
function isSilent(error: Error): boolean {
  return !(error instanceof MoverError) || isSilence(error);
}

function* groupDifferences(file: Estate, running: EstateSituation): Generator<Difference, void> {
  const atSite = new Map(running.groups.map((group) => [group.group, group]));
  for (const group of file.groups) {
    const known = atSite.get(group.id);
    if (known === undefined)
      yield {
        code: 'GROUP_MISSING',
        subject: group.id,
        message: `The replica site has no group "${group.id}".`,
        action: `Add it: ${addGroupCommand(group)}`,
        unprotected: false,
      };
    else if (known.retired !== undefined)
      yield {
        code: 'GROUP_RETIRED',
        subject: group.id,
        message: `Group "${group.id}" is in the file, but was retired: no points of it are closed.`,
        action: `Remove it from the file, or bring it back: ${addGroupCommand(group)}`,
        unprotected: false,
      };
    else yield* settingDifferences(group, known);
  }
  const declared = new Set(file.groups.map(({ id }) => id));
  const appliances = new Set(file.appliances.map(({ id }) => id));
  for (const { group, appliance, volumes, retired } of running.groups) {
    if (!declared.has(group) && retired === undefined)
      yield {
        code: 'GROUP_UNDECLARED',
        subject: group,
        message: `Group "${group}" with ${volumes} volumes is not in the file.`,
        action:
          volumes > 0
            ? `Put it back into the file, or move its volumes away: volume-mover batch start --from ${group} --to <group>`
            : `Put it back into the file, or end it: volume-mover group retire ${group}`,
        unprotected: false,
      };
    if (volumes === 0) continue;
    if (!appliances.has(appliance))
      yield {
        code: 'APPLIANCE_UNDECLARED',
        subject: appliance,
        message: `Appliance "${appliance}" is not in the file, but serves group "${group}" with ${volumes} volumes.`,
        action: `Put it back into the file and start it. To be rid of it, first: volume-mover appliance drain ${appliance}`,
        unprotected: true,
      };
    const served = running.appliances.get(appliance);
    if (served !== undefined && !(served instanceof Error) && !served.includes(group))
      yield {
        code: 'GROUP_UNSERVED',
        subject: group,
        message: `Appliance "${appliance}" does not close points of group "${group}", which owns ${volumes} volumes.`,
        action: 'It follows the replica site within seconds; if it does not, look at its log and its link.',
        unprotected: true,
      };
  }
}

function* settingDifferences(file: EstateGroup, known: SiteGroup): Generator<Difference, void> {
  if (file.appliance !== known.appliance)
    yield {
      code: 'GROUP_APPLIANCE',
      subject: file.id,
      message: `Group "${file.id}" is served by appliance "${known.appliance}"; the file says "${file.appliance}".`,
      action:
        known.volumes > 0
          ? `Move its ${known.volumes} volumes to a group of "${file.appliance}": volume-mover batch start --from ${file.id} --to <group>; or correct the file.`
          : `Change it: volume-mover group set ${file.id} --appliance ${file.appliance}; or correct the file.`,
      unprotected: false,
    };
  const settings = (['pointEveryMs', 'volumesMax', 'rpoMsMax', 'retention'] as const).filter(
    (name) => !isDeepStrictEqual(file[name], known[name]),
  );
  if (settings.length > 0)
    yield {
      code: 'GROUP_SETTINGS',
      subject: file.id,
      message: `Group "${file.id}" has ${settings.map((name) => `${name} ${text(known[name])}, not ${text(file[name])}`).join('; ')} as the file says.`,
      action: `Change it: ${setGroupCommand(file, known)}; or correct the file.`,
      unprotected: false,
    };
}

function* volumeDifferences(
  file: Estate,
  declared: ReadonlyMap<VolumeId, DeclaredVolume>,
  running: EstateSituation,
): Generator<Difference, void> {
  const atSite = new Map(running.volumes.map((volume) => [volume.volume, volume]));
  const served = servedBy(running);
  for (const volume of declared.values()) {
    const known = atSite.get(volume.id);
    if (running.retired.has(volume.id))
      yield {
        code: 'VOLUME_RETIRED',
        subject: volume.id,
        message: `Volume "${volume.id}" is in the file, but was retired: it is not protected.`,
        action: 'Remove it from the file.',
        unprotected: true,
      };
    else if (running.unreadable?.has(volume.id) === true)
      yield {
        code: 'VOLUME_UNUSABLE',
        subject: volume.id,
        message: running.unreadable.get(volume.id) ?? `Volume "${volume.id}" cannot be used.`,
        action: ERRORS.VOLUME_UNUSABLE.action,
        unprotected: true,
      };
    else if (known === undefined)
      yield {
        code: 'VOLUME_MISSING',
        subject: volume.id,
        message: `The replica site has no volume "${volume.id}": it is in no recovery point.`,
        action: `Add it: ${addVolumeCommand(volume)}`,
        unprotected: true,
      };
    else yield* fieldDifferences(volume, known);
  }
  const splitters = new Set(file.splitters.map(({ id }) => id));
  for (const volume of running.volumes) {
    if (!declared.has(volume.volume))
      yield {
        code: 'VOLUME_UNDECLARED',
        subject: volume.volume,
        message: `Volume "${volume.volume}" of splitter "${volume.splitter}" in group "${volume.group}" is not in the file.`,
        action: `Put it back into the file, or end its protection: volume-mover volume retire ${volume.volume}`,
        unprotected: false,
      };
    if (splitters.has(volume.splitter)) yield* serviceDifferences(volume, running, served);
    else
      yield {
        code: 'SPLITTER_UNDECLARED',
        subject: volume.splitter,
        message: `Splitter "${volume.splitter}" of volume "${volume.volume}" is not in the file, so nobody reaches it to move the volume.`,
        action: 'Put the splitter back into the file.',
        unprotected: true,
      };
  }
  for (const [volume, { splitter, sizeBytes, group }] of served)
    if (!atSite.has(volume) && !declared.has(volume))
      yield {
        code: 'VOLUME_MISSING',
        subject: volume,
        message: `Splitter "${splitter}" serves volume "${volume}", which neither the file nor the replica site has: it is in no recovery point.`,
        action: `Add it at the site: ${addVolumeCommand({ id: volume, splitter, sizeMiB: sizeBytes / MIB, group })}`,
        unprotected: true,
      };
}

function* fieldDifferences(file: DeclaredVolume, known: InventoryVolume): Generator<Difference, void> {
  if (file.sizeMiB * MIB !== known.sizeBytes)
    yield {
      code: 'VOLUME_SIZE',
      subject: file.id,
      message: `Volume "${file.id}" has ${known.sizeBytes / MIB} MiB; the file says ${file.sizeMiB} MiB.`,
      action:
        file.sizeMiB * MIB > known.sizeBytes
          ? `Make it as large: volume-mover volume grow ${file.id} --size ${file.sizeMiB}MiB; or correct sizeMiB in the file.`
          : 'Correct sizeMiB in the file: no volume can be made smaller.',
      unprotected: false,
    };
  if (file.splitter !== known.splitter)
    yield {
      code: 'VOLUME_SPLITTER',
      subject: file.id,
      message: `Volume "${file.id}" belongs to splitter "${known.splitter}"; the file gives it to "${file.splitter}".`,
      action: 'Correct the file, unless the disk was brought there: then restart both splitters and the replica site.',
      unprotected: false,
    };
  if (file.vm !== known.vm || !isDeepStrictEqual(file.labels ?? {}, known.labels ?? {}))
    yield {
      code: 'VOLUME_NAMES',
      subject: file.id,
      message: `Volume "${file.id}" has another VM or other labels than the file says.`,
      action: `Change it: ${setVolumeCommand(file)}; or correct the file.`,
      unprotected: false,
    };
}

/** Whether the volume's splitter serves it, and sends it where the site expects it. */
function* serviceDifferences(
  { volume, splitter, sizeBytes, group, appliance, vm, labels }: InventoryVolume,
  { splitters }: EstateSituation,
  served: ReturnType<typeof servedBy>,
): Generator<Difference, void> {
  const answer = splitters.get(splitter);
  if (answer === undefined || answer instanceof Error) return;
  const view = answer.served.find((each) => each.volume === volume);
  if (view !== undefined && view.group !== group)
    yield {
      code: 'VOLUME_ROUTE',
      subject: volume,
      message: `Volume "${volume}" belongs to group "${group}", but splitter "${splitter}" sends its writes to "${view.group}".`,
      action: 'A move may be under way; else it is put right by itself when the splitter attaches the volume again.',
      unprotected: false,
    };
  if (view?.group === group && view.appliance !== appliance)
    yield {
      code: 'VOLUME_ROUTE',
      subject: volume,
      message: `Group "${group}" of volume "${volume}" is served by appliance "${appliance}", but splitter "${splitter}" sends its writes through "${view.appliance}": no new recovery point contains it.`,
      action:
        'Move the volume to another group and back: volume-mover move; or restart the splitter, then compare again.',
      unprotected: true,
    };
  if (view !== undefined) return;
  const why = answer.unusable.find((each) => each.volume === volume)?.reason;
  const other = served.get(volume)?.splitter;
  yield {
    code: 'VOLUME_UNSERVED',
    subject: volume,
    message:
      why ??
      `Splitter "${splitter}" does not serve volume "${volume}"${other === undefined ? '' : `, but "${other}" does`}: no new recovery point contains it.`,
    action:
      why === undefined
        ? `Finish its addition: ${addVolumeCommand({ id: volume, splitter, sizeMiB: sizeBytes / MIB, group, vm, labels })}; or put it into the file and restart that splitter.`
        : 'Mend what is named.',
    unprotected: true,
  };
}

function servedBy({ splitters }: EstateSituation): Map<VolumeId, ServedVolume & { readonly splitter: SplitterId }> {
  return new Map(
    [...splitters].flatMap(([splitter, answer]) =>
      answer instanceof Error ? [] : answer.served.map((served) => [served.volume, { ...served, splitter }] as const),
    ),
  );
}

/** A value as the file writes it. */
function text(value: unknown): string {
  return value === undefined ? 'unset' : JSON.stringify(value);
}
