// Names of the estate for completion. What does not answer has no names: a shell must not wait.
import type { MoverClient } from '../../sdk.js';
import type { NameKind } from './words.js';

/** Longest wait for names, ms. People press Tab again before they wait longer. */
const NAMES_MS_MAX = 2_000;
/** Workflows offered: the running ones and the last that ended. */
const WORKFLOWS_MAX = 50;

/** The names of a kind that begin with what is typed. */
export async function namesOf(client: MoverClient, kinds: readonly NameKind[]): Promise<string[]> {
  const late = new Promise<string[]>((resolve) => setTimeout(() => resolve([]), NAMES_MS_MAX).unref());
  const lists = kinds.map(async (kind) => Promise.race([READERS[kind](client).catch(() => []), late]));
  return [...new Set((await Promise.all(lists)).flat())].toSorted();
}

const READERS: Readonly<Record<NameKind, (client: MoverClient) => Promise<string[]>>> = {
  volume: async ({ volumes }) => (await volumes.list()).map(({ volume }) => volume),
  group: async ({ groups }) => (await groups.list()).map(({ group }) => group),
  splitter: async ({ volumes }) => (await volumes.list()).map(({ splitter }) => splitter),
  appliance: async ({ groups }) => (await groups.list()).map(({ appliance }) => appliance),
  // Workflow ids: a shell may break a word at the "@" of a whole id, and they mean the newest.
  move: async ({ moves }) => (await moves.list({ limit: WORKFLOWS_MAX })).map(({ workflowId }) => workflowId),
  batch: async ({ batches }) => (await batches.list({ limit: WORKFLOWS_MAX })).map(({ workflowId }) => workflowId),
  verification: async ({ verifications }) =>
    (await verifications.list({ limit: WORKFLOWS_MAX })).map(({ workflowId }) => workflowId),
  schedule: async ({ schedules }) => (await schedules.list()).schedules.map(({ name }) => name),
  access: async ({ images }) =>
    (await images.list()).accesses.filter(({ ended }) => ended === undefined).map(({ id }) => id),
};
