// What to type into the Temporal UI's schedule form, and what the form can't set.
import { type Calendar, valuesOf } from './calendar.js';
import { cronOf } from './cron.js';

export interface UiFormField {
  /** The form's label. "Cron String" is on the tab String of its times. */
  readonly field: string;
  readonly value: string;
}

export interface UiForm {
  /** The form's URL; undefined when the UI's address is unknown. */
  readonly url: string | undefined;
  readonly fields: readonly UiFormField[];
  /** What the form can't set and what results; and parts of this schedule that it can't express. */
  readonly cannot: readonly string[];
}

export interface UiFormOf {
  readonly name: string;
  readonly action: {
    readonly workflowType: string;
    readonly workflowId: string;
    readonly taskQueue: string;
    readonly input: unknown;
  };
  readonly times: readonly Calendar[];
  readonly timeZone: string;
  /**
   * Whether it has intervals, excluded days, or a first or last day, which cron text can't express.
   */
  readonly hasMoreTimes: boolean;
  readonly formUrl: string | undefined;
}

export function uiFormOf({ name, action, times, timeZone, hasMoreTimes, formUrl }: UiFormOf): UiForm {
  const [first, ...others] = merged(times).map(cronOf);
  const cannot = [
    'overlap policy: SKIP, which is right',
    'catch-up window: becomes 365 days',
    'pause on failure: off',
    'jitter: none',
    'search attributes: none, unless each is added there by hand',
    `to set all of them: volume-mover schedule adopt ${name}`,
    ...others.map((cron) => `for its other times make another schedule: CRON_TZ=${timeZone} ${cron}`),
    ...(hasMoreTimes ? ['its intervals, excluded days, first or last day: a cron text cannot express them'] : []),
  ];
  return {
    url: formUrl,
    fields: [
      { field: 'Name', value: name },
      { field: 'Workflow Type', value: action.workflowType },
      { field: 'Workflow Id', value: action.workflowId },
      { field: 'Task Queue', value: action.taskQueue },
      { field: 'Data', value: JSON.stringify(action.input) },
      ...(first === undefined ? [] : [{ field: 'Cron String', value: `CRON_TZ=${timeZone} ${first}` }]),
    ],
    cannot,
  };
}

/** Joins times that differ only in their hours, since the form takes one line. */
function merged(times: readonly Calendar[]): Calendar[] {
  const byRest = new Map<string, Calendar>();
  for (const calendar of times) {
    const { hour, ...rest } = calendar;
    const key = JSON.stringify(Object.values(rest).map(valuesOf));
    const before = byRest.get(key);
    byRest.set(key, before === undefined ? calendar : { ...before, hour: [...before.hour, ...hour] });
  }
  return [...byRest.values()];
}
