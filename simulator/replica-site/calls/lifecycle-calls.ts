// Changes of the estate at run time. A refused one, and a dry run, change nothing.
import type { siteProcessesApi } from '../../../contracts/processes.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import * as lifecycle from '../core/lifecycle.js';
import * as processes from '../core/processes.js';
import type { Journals } from '../journals.js';
import type { Site } from '../site.js';

type LifecycleCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  'addVolume' | 'setVolume' | 'retireVolume' | 'addGroup' | 'setGroup' | 'retireGroup' | keyof typeof siteProcessesApi
>;

export function lifecycleCalls(site: Site, journals: Journals): LifecycleCalls {
  return {
    addVolume: (input) => site.change((state, now) => lifecycle.addVolume(state, input, now)),
    setVolume: (input) => site.change((state) => lifecycle.setVolume(state, input)),
    retireVolume: async (input) => {
      site.state.volume(input.volume);
      await journals.openAll([input.volume]);
      return site.change((state, now) => lifecycle.retireVolume(state, input, now));
    },
    addGroup: (input) => site.change((state) => lifecycle.addGroup(state, input)),
    setGroup: (input) => site.change((state) => lifecycle.setGroup(state, input)),
    retireGroup: (input) => site.change((state, now) => lifecycle.retireGroup(state, input, now)),
    retiredProcesses: () => processes.retiredProcesses(site.state),
    addAppliance: (input) => site.change((state) => processes.addAppliance(state, input)),
    retireAppliance: (input) => site.change((state, now) => processes.retireAppliance(state, input, now)),
    addSplitter: (input) => site.change((state) => processes.addSplitter(state, input)),
    retireSplitter: (input) => site.change((state, now) => processes.retireSplitter(state, input, now)),
  };
}
