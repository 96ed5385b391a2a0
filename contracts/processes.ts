// The life of appliances and splitters at run time. People start and stop the processes; the
// replica site keeps which ones were retired, so that nothing is given to them any more.
import { z } from 'zod';
import { applianceIdSchema, splitterIdSchema } from './ids.js';
import { changedSchema } from './lifecycle.js';
import { operation } from './route.js';

const dryRun = z.boolean().default(false);
const applianceInput = z.strictObject({ appliance: applianceIdSchema, dryRun });
const splitterInput = z.strictObject({ splitter: splitterIdSchema, dryRun });

/** The replica site's side. Every appliance passes it on. */
export const siteProcessesApi = {
  retiredProcesses: operation({
    method: 'GET',
    path: '/v1/processes/retired',
    roles: ['read'],
    summary: 'The appliances and splitters that were retired.',
    input: z.strictObject({}),
    output: z.strictObject({ appliances: z.array(applianceIdSchema), splitters: z.array(splitterIdSchema) }),
  }),
  addAppliance: operation({
    method: 'POST',
    path: '/v1/appliances/add',
    roles: ['admin'],
    summary: 'Bring a retired appliance back: groups may be given to it again. May be repeated.',
    input: applianceInput,
    output: changedSchema,
  }),
  retireAppliance: operation({
    method: 'POST',
    path: '/v1/appliances/retire',
    roles: ['admin'],
    summary:
      'End the use of an appliance: no group can be given to it any more. Refused while a group is set to it. May be repeated.',
    input: applianceInput,
    output: changedSchema,
  }),
  addSplitter: operation({
    method: 'POST',
    path: '/v1/splitters/add',
    roles: ['admin'],
    summary: 'Bring a retired splitter back: volumes may be added at it again. May be repeated.',
    input: splitterInput,
    output: changedSchema,
  }),
  retireSplitter: operation({
    method: 'POST',
    path: '/v1/splitters/retire',
    roles: ['admin'],
    summary:
      'End the use of a splitter: no volume can be added at it any more. Refused while it has volumes that are not retired. May be repeated.',
    input: splitterInput,
    output: changedSchema,
  }),
} as const;
