// The schedule form and the page of a schedule in the Temporal Web UI, as a person uses them.
import type { Page } from 'playwright-core';
import type { UiForm } from '../../client/schedules/ui-form.js';
import { SHOWN_MS_MAX } from './start-form.js';

/** The form's inputs, by the labels that `volume-mover schedule create --ui` prints. */
const INPUTS: ReadonlyMap<string, string> = new Map([
  ['Name', 'schedule-name-input'],
  ['Workflow Type', 'schedule-type-input'],
  ['Workflow Id', 'schedule-workflow-id-input'],
  ['Task Queue', 'schedule-task-queue-input'],
  ['Cron String', 'cronString'],
]);

/**
 * Types each value into the field of its label, and nothing else.
 * @throws Error for a value that the form has no field for
 */
export async function fillScheduleForm(page: Page, url: string, { fields }: Pick<UiForm, 'fields'>): Promise<void> {
  await page.goto(url);
  await page.getByTestId('schedule-name-input').waitFor({ timeout: SHOWN_MS_MAX });
  await page.getByTestId('string-tab').click();
  for (const { field, value } of fields) {
    await page.getByText(field, { exact: true }).filter({ visible: true }).first().waitFor({ timeout: SHOWN_MS_MAX });
    const input = INPUTS.get(field);
    if (input !== undefined) await page.getByTestId(input).fill(value);
    else if (field === 'Data') await typeData(page, value);
    else throw new Error(`The form has no field "${field}".`);
  }
}

/** The editor reformats JSON when it is left, and swallows the first click on a button then. */
async function typeData(page: Page, text: string): Promise<void> {
  await page.locator('.cm-content').filter({ visible: true }).first().click();
  await page.keyboard.insertText(text);
  await page.getByTestId('schedule-name-input').click();
}

export async function createSchedule(page: Page): Promise<void> {
  await page.getByTestId('create-schedule-button').click();
  await page.waitForURL((url) => url.pathname.endsWith('/schedules'), { timeout: SHOWN_MS_MAX });
}

/** Triggers it by the menu of its page, with the policy that the dialog offers first. */
export async function triggerSchedule(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator('#schedule-actions-menu-button').click({ timeout: SHOWN_MS_MAX });
  await page.getByTestId('trigger-schedule').click();
  await page.getByTestId('confirm-modal-button').filter({ visible: true }).click();
}
