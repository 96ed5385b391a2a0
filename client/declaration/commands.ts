// The commands that end a difference between the estate file and what runs, with all their flags,
// so that people can paste them.
import { type EstateGroup, estateGroupSchema, type EstateVolume } from '../../contracts/estate.js';
import type { SplitterId } from '../../contracts/ids.js';
import type { Labels } from '../../contracts/inventory.js';

/** The command for settings that no flag of another command has. */
const APPLY = 'volume-mover estate apply --yes';
const SECOND_MS = 1_000;

type Settings = Pick<EstateGroup, 'pointEveryMs' | 'volumesMax' | 'rpoMsMax' | 'retention'>;

export function addGroupCommand(group: EstateGroup): string {
  const { id, appliance } = group;
  const defaults = estateGroupSchema.parse({ id, appliance });
  return withSettings(`volume-mover group add ${id} --appliance ${appliance}`, group, defaults);
}

/** @param known the settings that the group has */
export function setGroupCommand(group: EstateGroup, known: Settings): string {
  return withSettings(`volume-mover group set ${group.id}`, group, known);
}

export function addVolumeCommand({
  id,
  splitter,
  sizeMiB,
  group,
  vm,
  labels,
}: EstateVolume & { readonly splitter: SplitterId }): string {
  return [
    `volume-mover volume add ${id} --splitter ${splitter} --size-mib ${sizeMiB} --group ${group}`,
    ...(vm === undefined ? [] : [`--vm ${quoted(vm)}`]),
    ...labelFlags(labels),
  ].join(' ');
}

/** Sets the VM and the labels, whatever they are now. */
export function setVolumeCommand({ id, vm, labels }: Pick<EstateVolume, 'id' | 'vm' | 'labels'>): string {
  const flags = labelFlags(labels);
  return [
    `volume-mover volume set ${id}`,
    vm === undefined ? '--no-vm' : `--vm ${quoted(vm)}`,
    ...(flags.length === 0 ? ['--no-labels'] : flags),
  ].join(' ');
}

function labelFlags(labels: Labels = {}): string[] {
  return Object.entries(labels).map(([name, value]) => `--label ${quoted(`${name}=${value}`)}`);
}

/** The command with a flag for each setting that is other than the known one. */
function withSettings(command: string, wanted: Settings, known: Settings): string {
  const { retention: kept } = wanted;
  const { retention: keeps } = known;
  const periods = (
    [
      ['--point-every', wanted.pointEveryMs, known.pointEveryMs],
      ['--keep-all', kept.keepAllMs, keeps.keepAllMs],
      ['--hourly', kept.hourlyMs, keeps.hourlyMs],
      ['--daily', kept.dailyMs, keeps.dailyMs],
      ['--weekly', kept.weeklyMs, keeps.weeklyMs],
    ] as const
  ).filter(([, ms, before]) => ms !== before);
  // No flag sets the journal's limit, and none takes a period of nothing.
  if (kept.journalBytesMax !== keeps.journalBytesMax || periods.some(([, ms]) => ms === 0)) return APPLY;
  return [
    command,
    ...periods.map(([flag, ms]) => `${flag} ${ms / SECOND_MS}s`),
    ...(wanted.volumesMax === known.volumesMax ? [] : [`--volumes-max ${wanted.volumesMax}`]),
    ...rpoFlag(wanted.rpoMsMax, known.rpoMsMax),
  ].join(' ');
}

function rpoFlag(wanted: number | undefined, known: number | undefined): string[] {
  if (wanted === known) return [];
  return wanted === undefined ? ['--no-rpo'] : [`--rpo ${wanted / SECOND_MS}s`];
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
