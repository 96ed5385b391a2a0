// The values for the Temporal UI's schedule form, one per line, so that each can be copied whole.
import type { UiForm } from '../../../schedules/ui-form.js';

export function uiFormLines({ url, fields, cannot }: UiForm): string[] {
  return [
    `In the Temporal UI, ${url ?? 'under Schedules, Create Schedule'}:`,
    ...fields.map(({ field, value }) => `  ${field}: ${value}`),
    'What the form cannot set:',
    ...cannot.map((line) => `  - ${line}`),
  ];
}
