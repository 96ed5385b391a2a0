// The steps that make what runs as the file says, in a safe order. A pure function of the file and
// of what runs.
import type { ErrorCode, Reason } from '../../contracts/errors.js';
import type { Estate, EstateGroup } from '../../contracts/estate.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { InventoryVolume } from '../../contracts/inventory.js';
import type { SiteGroup } from '../../contracts/replica-site-api.js';
import type {
  AddGroupOrder,
  AddVolumeOrder,
  GrowVolumeOrder,
  RetireGroupOrder,
  RetireVolumeOrder,
  SetGroupOrder,
  SetVolumeOrder,
} from '../volumes/lifecycle.js';
import {
  compareEstate,
  type DeclaredVolume,
  declaredVolumes,
  type Difference,
  type EstateSituation,
} from './compare-estate.js';

const MIB = 1024 * 1024;

/** One step: the same change as one command makes. */
export type Step =
  | { readonly kind: 'add-group'; readonly order: AddGroupOrder }
  | { readonly kind: 'set-group'; readonly order: SetGroupOrder }
  | { readonly kind: 'set-volume'; readonly order: SetVolumeOrder }
  | { readonly kind: 'grow-volume'; readonly order: GrowVolumeOrder }
  | { readonly kind: 'add-volume'; readonly order: AddVolumeOrder }
  | { readonly kind: 'retire-volume'; readonly order: RetireVolumeOrder }
  | { readonly kind: 'retire-group'; readonly order: RetireGroupOrder };

/** Groups are there before volumes join them, and go after their volumes have left. */
const ORDER: readonly Step['kind'][] = [
  'add-group',
  'set-group',
  'set-volume',
  'grow-volume',
  'add-volume',
  'retire-volume',
  'retire-group',
];

export interface Steps {
  /** Each is made after the ones before it. */
  readonly steps: readonly Step[];
  /** Differences that no step ends. */
  readonly left: readonly Difference[];
  /** What stands against the steps before any process is asked. */
  readonly reasons: readonly Reason[];
}

/** @param retire the volumes and groups that may be retired, as a person named them */
export function stepsToApply(file: Estate, running: EstateSituation, retire: ReadonlySet<string>): Steps {
  const context: Context = {
    groups: new Map(file.groups.map((group) => [group.id, group])),
    volumes: declaredVolumes(file),
    groupsAtSite: new Map(running.groups.map((group) => [group.group, group])),
    volumesAtSite: new Map(running.volumes.map((volume) => [volume.volume, volume])),
    running,
    retire,
  };
  const steps: Step[] = [];
  const left: Difference[] = [];
  for (const difference of compareEstate(file, running).differences) {
    const step = stepFor(difference, context);
    if (step === undefined) left.push(difference);
    else steps.push(step);
  }
  const ordered = steps.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  return {
    steps: ordered,
    left,
    reasons: [...againstNames(file, running, retire), ...againstRoom(file, running, ordered)],
  };
}

/** What the file has and what the site has, by the subject of a difference. */
interface Context {
  readonly groups: ReadonlyMap<string, EstateGroup>;
  readonly volumes: ReadonlyMap<string, DeclaredVolume>;
  readonly groupsAtSite: ReadonlyMap<string, SiteGroup>;
  readonly volumesAtSite: ReadonlyMap<string, InventoryVolume>;
  readonly running: EstateSituation;
  readonly retire: ReadonlySet<string>;
}

/** The step that ends the difference; undefined if none does, or if nobody named what it ends. */
function stepFor({ code, subject }: Difference, context: Context): Step | undefined {
  const { running, retire } = context;
  const group = context.groups.get(subject);
  const groupAtSite = context.groupsAtSite.get(subject);
  const volume = context.volumes.get(subject);
  const volumeAtSite = context.volumesAtSite.get(subject);
  switch (code) {
    case 'GROUP_MISSING':
    case 'GROUP_RETIRED':
      return group === undefined ? undefined : { kind: 'add-group', order: groupOrder(group) };
    case 'GROUP_SETTINGS': {
      if (group === undefined) return undefined;
      const { appliance: _appliance, ...settings } = groupOrder(group);
      const isCleared = group.rpoMsMax === undefined && groupAtSite?.rpoMsMax !== undefined;
      return { kind: 'set-group', order: isCleared ? { ...settings, rpoMsMax: null } : settings };
    }
    case 'GROUP_APPLIANCE':
      // The splitters of its volumes send to the old appliance: they have to be moved first.
      return group === undefined || groupAtSite?.volumes !== 0
        ? undefined
        : { kind: 'set-group', order: { group: group.id, appliance: group.appliance } };
    case 'VOLUME_MISSING':
      return volume === undefined ? undefined : { kind: 'add-volume', order: volumeOrder(volume, volume.group) };
    case 'VOLUME_UNSERVED': {
      if (volume === undefined || volumeAtSite?.splitter !== volume.splitter) return undefined;
      if (isUnusable(running, volume) || isServed(running, volume)) return undefined;
      // An addition that ended between the site and the splitter: its repetition finishes it.
      return { kind: 'add-volume', order: volumeOrder(volume, volumeAtSite.group) };
    }
    case 'VOLUME_NAMES':
      return volume === undefined
        ? undefined
        : { kind: 'set-volume', order: { volume: volume.id, vm: volume.vm ?? null, labels: volume.labels ?? {} } };
    case 'VOLUME_UNDECLARED':
      return volumeAtSite === undefined || !retire.has(subject)
        ? undefined
        : { kind: 'retire-volume', order: { volume: volumeAtSite.volume } };
    case 'GROUP_UNDECLARED':
      return groupAtSite === undefined || !retire.has(subject)
        ? undefined
        : { kind: 'retire-group', order: { group: groupAtSite.group } };
    case 'VOLUME_SIZE':
      // No volume can be made smaller.
      return volume === undefined || volumeAtSite === undefined || volume.sizeMiB * MIB < volumeAtSite.sizeBytes
        ? undefined
        : { kind: 'grow-volume', order: { volume: volume.id, sizeMiB: volume.sizeMiB } };
    // A disk is brought to another host by people, and a retired volume never comes back.
    case 'VOLUME_SPLITTER':
    case 'VOLUME_RETIRED':
    // Its row or its files have to be mended.
    case 'VOLUME_UNUSABLE':
    // Only the file can name a process, and only a person can start it.
    case 'APPLIANCE_UNDECLARED':
    case 'SPLITTER_UNDECLARED':
    case 'APPLIANCE_SILENT':
    case 'SPLITTER_SILENT':
    case 'PROCESS_REFUSED':
    case 'APPLIANCE_RETIRED':
    case 'SPLITTER_RETIRED':
    // These end by themselves.
    case 'GROUP_UNSERVED':
    case 'VOLUME_ROUTE':
      return undefined;
  }
}

function groupOrder({ id, appliance, pointEveryMs, volumesMax, rpoMsMax, retention }: EstateGroup): AddGroupOrder {
  return { group: id, appliance, pointEveryMs, volumesMax, retention, ...(rpoMsMax === undefined ? {} : { rpoMsMax }) };
}

function volumeOrder({ id, splitter, sizeMiB, vm, labels }: DeclaredVolume, group: GroupId): AddVolumeOrder {
  return { volume: id, splitter, sizeMiB, group, vm, labels };
}

function isUnusable({ splitters }: EstateSituation, { id, splitter }: DeclaredVolume): boolean {
  const answer = splitters.get(splitter);
  return answer === undefined || answer instanceof Error || answer.unusable.some(({ volume }) => volume === id);
}

function isServed({ splitters }: EstateSituation, { id }: DeclaredVolume): boolean {
  return [...splitters.values()].some(
    (answer) => !(answer instanceof Error) && answer.served.some(({ volume }) => volume === id),
  );
}

/** Only what the file leaves out can be named for retirement. */
function* againstNames(file: Estate, running: EstateSituation, retire: ReadonlySet<string>): Generator<Reason, void> {
  const against = (subject: string, message: string): Reason => ({ code: 'INVALID_REQUEST', subject, message });
  const declared = new Set<string>([...declaredVolumes(file).keys(), ...file.groups.map(({ id }) => id)]);
  const known = new Set<string>([
    ...running.volumes.map(({ volume }) => volume),
    ...running.retired,
    ...running.groups.map(({ group }) => group),
  ]);
  for (const name of retire) {
    if (declared.has(name))
      yield against(name, `"${name}" is in the file, so it is not retired: remove it from the file first`);
    else if (!known.has(name)) yield against(name, `there is no volume or group "${name}" to retire`);
  }
}

/** Whether each group has room for all volumes that are added to it. */
function* againstRoom(file: Estate, running: EstateSituation, steps: readonly Step[]): Generator<Reason, void> {
  const atSite = new Set(running.volumes.map(({ volume }) => volume));
  const added = steps.flatMap((step) =>
    step.kind === 'add-volume' && !atSite.has(step.order.volume) ? [step.order] : [],
  );
  const code: ErrorCode = 'GROUP_FULL';
  for (const { id, volumesMax } of file.groups) {
    const known = running.groups.find(({ group }) => group === id);
    const taken = (known?.volumes ?? 0) + (known?.reserved ?? 0);
    const wanted = added.filter(({ group }) => group === id).length;
    if (wanted > 0 && taken + wanted > volumesMax)
      yield {
        code,
        subject: id,
        message: `group "${id}" has room for ${volumesMax} volumes; ${taken} are taken, and ${wanted} would be added`,
      };
  }
}

/** The step in a few words. */
export function stepText({ kind, order }: Step): string {
  switch (kind) {
    case 'add-group':
      return `add group ${order.group} at ${order.appliance}`;
    case 'set-group': {
      const { group, dryRun: _dryRun, ...settings } = order;
      const changes = Object.entries(settings).map(([name, value]) => `${name} ${valueText(value)}`);
      return `change group ${group}: ${changes.join(', ')}`;
    }
    case 'set-volume': {
      const labels = Object.entries(order.labels ?? {}).map(([name, value]) => `${name}=${value}`);
      return `change volume ${order.volume}: ${order.vm === null ? 'no VM' : `VM ${order.vm}`}, ${labels.length === 0 ? 'no labels' : `labels ${labels.join(' ')}`}`;
    }
    case 'grow-volume':
      return `make volume ${order.volume} larger: ${order.sizeMiB} MiB`;
    case 'add-volume':
      return `add volume ${order.volume} of ${order.splitter} to ${order.group}, ${order.sizeMiB} MiB`;
    case 'retire-volume':
      return `retire volume ${order.volume}; its recovery points and its disk stay`;
    case 'retire-group':
      return `retire group ${order.group}; its recovery points stay`;
  }
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The volume or group that the step is about. */
export function subjectOf({ order }: Step): VolumeId | GroupId {
  return 'volume' in order ? order.volume : order.group;
}
