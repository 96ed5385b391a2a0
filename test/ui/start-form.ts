// The start form of the Temporal Web UI, as a person fills it in: opened by deep link, input typed,
// button pressed.
import { expect } from 'vitest';
import type { Page } from 'playwright-core';

/** Longest wait for something to show, ms: the UI asks the server every few seconds. */
export const SHOWN_MS_MAX = 30_000;

export interface StartForm {
  /** Base URL of the Web UI. */
  readonly ui: string;
  readonly namespace: string;
  readonly workflowType: string;
  readonly workflowId: string;
}

export async function openStartForm(page: Page, { ui, namespace, workflowType, workflowId }: StartForm): Promise<void> {
  const query = new URLSearchParams({ taskQueue: 'volume-mover', workflowType, workflowId });
  await page.goto(`${ui}/namespaces/${namespace}/workflows/start-workflow?${query.toString()}`);
  await page.locator('.cm-content').waitFor({ timeout: SHOWN_MS_MAX });
  await page.getByText('Task Queue is Active').waitFor({ timeout: SHOWN_MS_MAX });
  expect(await page.getByTestId('workflowType').inputValue()).toBe(workflowType);
  expect(await page.getByTestId('workflowId').inputValue()).toBe(workflowId);
}

/**
 * Types into the editor, which reformats JSON when it is left: a click that leaves it would miss
 * what moves under it.
 */
export async function typeInput(page: Page, text: string): Promise<void> {
  await page.locator('.cm-content').click();
  await page.keyboard.insertText(text);
  await page.getByTestId('workflowType').click();
}

/** Presses the button and opens the page of the run, by the link that the form then shows. */
export async function start(page: Page, { workflowId }: StartForm): Promise<void> {
  await page.getByTestId('start-workflow-button').click();
  await page.locator(`a[href*="/workflows/${workflowId}/"]`).first().click({ timeout: SHOWN_MS_MAX });
  await page.waitForURL((url) => url.pathname.includes(`/workflows/${workflowId}/`), { timeout: SHOWN_MS_MAX });
}
