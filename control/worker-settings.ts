// The settings by which a worker shares its host and its Temporal server: their variables and
// flags, and which of several sources counts. Client and worker read the task queue here.
import { MoverError, type Reason, reasonsOf } from '../contracts/errors.js';
import type { Estate } from '../contracts/estate.js';
import { TASK_QUEUE } from '../contracts/move.js';
import { type WorkerSettings, workerSettingsSchema } from '../contracts/worker-settings.js';
import { withoutEmpty } from './estate-file.js';

interface SettingNames {
  readonly variable: string;
  /** The flag of `volume-mover worker`, with what it takes. */
  readonly flag: string;
  readonly what: string;
}

type SettingName = keyof WorkerSettings;

/** The settings by their names in `worker` of the estate file. */
export const WORKER_SETTINGS: Readonly<Record<SettingName, SettingNames>> = {
  taskQueue: {
    variable: 'VOLUME_MOVER_TASK_QUEUE',
    flag: '--task-queue <name>',
    what: `the task queue it polls (default ${TASK_QUEUE})`,
  },
  workflowSlots: {
    variable: 'VOLUME_MOVER_WORKFLOW_SLOTS',
    flag: '--workflow-slots <n>',
    what: 'workflow tasks at once (default 40)',
  },
  activitySlots: {
    variable: 'VOLUME_MOVER_ACTIVITY_SLOTS',
    flag: '--activity-slots <n>',
    what: 'steps at once (default 500)',
  },
  localActivitySlots: {
    variable: 'VOLUME_MOVER_LOCAL_ACTIVITY_SLOTS',
    flag: '--local-activity-slots <n>',
    what: 'short steps inside workflow tasks, at once (default 100)',
  },
  cachedWorkflows: {
    variable: 'VOLUME_MOVER_CACHED_WORKFLOWS',
    flag: '--cached-workflows <n>',
    what: 'workflows kept in memory (default: as the heap allows)',
  },
  workflowPollers: {
    variable: 'VOLUME_MOVER_WORKFLOW_POLLERS',
    flag: '--workflow-pollers <n>',
    what: 'calls that wait for a workflow task (default 10)',
  },
  activityPollers: {
    variable: 'VOLUME_MOVER_ACTIVITY_POLLERS',
    flag: '--activity-pollers <n>',
    what: 'calls that wait for a step (default 10)',
  },
  activitiesPerSecond: {
    variable: 'VOLUME_MOVER_ACTIVITIES_PER_SECOND',
    flag: '--activities-per-second <n>',
    what: 'steps that this worker begins in a second (default: no limit)',
  },
  queueActivitiesPerSecond: {
    variable: 'VOLUME_MOVER_QUEUE_ACTIVITIES_PER_SECOND',
    flag: '--queue-activities-per-second <n>',
    what: 'steps that all workers of the task queue begin in a second (default: no limit)',
  },
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings: of each the variable counts, then `worker` of the estate file.
 * @throws MoverError INVALID_REQUEST naming every variable at fault
 */
export function readWorkerSettings(environment: Environment, estate: Partial<Pick<Estate, 'worker'>>): WorkerSettings {
  const given = withoutEmpty(environment);
  const texts = entriesOf(WORKER_SETTINGS).flatMap(([name, { variable }]): [SettingName, unknown][] => {
    const text = given[variable];
    return text === undefined ? [] : [[name, name === 'taskQueue' ? text : numberIn(text)]];
  });
  const read = workerSettingsSchema.safeParse(Object.fromEntries(texts));
  const { health: _health, ...ofEstate } = estate.worker ?? { health: undefined };
  const settings: WorkerSettings = { ...ofEstate, ...read.data };
  const faults = [...(read.error === undefined ? [] : named(reasonsOf(read.error))), ...contradictions(settings)];
  if (faults.length === 0) return settings;
  const listed = faults.map(({ subject, message }) => `${subject}: ${message}`).join('; ');
  throw new MoverError('INVALID_REQUEST', `The settings of the worker are not accepted: ${listed}.`, {
    reasons: faults,
  });
}

/** The task queue on which a client starts workflows. @throws as `readWorkerSettings` */
export function readTaskQueue(environment: Environment, estate: Partial<Pick<Estate, 'worker'>>): string {
  const { VOLUME_MOVER_TASK_QUEUE } = environment;
  return readWorkerSettings({ VOLUME_MOVER_TASK_QUEUE }, estate).taskQueue ?? TASK_QUEUE;
}

/** A setting's name for people. @example "VOLUME_MOVER_ACTIVITY_SLOTS (--activity-slots)" */
function labelOf(name: SettingName): string {
  const { variable, flag } = WORKER_SETTINGS[name];
  return `${variable} (${flag.replace(/ .*/, '')})`;
}

function named(reasons: readonly Reason[]): Reason[] {
  return reasons.map(({ subject, ...reason }) => {
    const [name] = entriesOf(WORKER_SETTINGS).find(([known]) => known === subject) ?? [];
    return { ...reason, subject: name === undefined ? subject : labelOf(name) };
  });
}

/** Settings that the SDK would not take together. */
const AT_MOST: readonly (readonly [SettingName, SettingName, string])[] = [
  ['workflowPollers', 'workflowSlots', 'each takes a slot'],
  ['activityPollers', 'activitySlots', 'each takes a slot'],
  ['workflowSlots', 'cachedWorkflows', 'each runs a cached workflow; 0 turns the cache off'],
];

function contradictions(settings: WorkerSettings): Reason[] {
  return AT_MOST.flatMap(([name, other, why]): Reason[] => {
    const [value, most] = [settings[name], settings[other]];
    if (typeof value !== 'number' || typeof most !== 'number' || value <= most) return [];
    if (other === 'cachedWorkflows' && most === 0) return [];
    const message = `${value} is more than ${labelOf(other)}, which is ${most}: ${why}`;
    return [{ code: 'INVALID_REQUEST', subject: labelOf(name), message }];
  });
}

/** A text that is no number is left as it is: the schema refuses it. */
function numberIn(text: string): unknown {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}

function entriesOf<Value>(table: Readonly<Record<SettingName, Value>>): (readonly [SettingName, Value])[] {
  const isName = (name: string): name is SettingName => name in table;
  return Object.keys(table)
    .filter(isName)
    .map((name) => [name, table[name]] as const);
}
