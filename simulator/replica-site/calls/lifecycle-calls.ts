// Changes of the estate at run time. A refused one, and a dry run, change nothing.
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import * as lifecycle from '../core/lifecycle.js';
import type { Journals } from '../journals.js';
import type { Site } from '../site.js';

type LifecycleCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  'addVolume' | 'retireVolume' | 'addGroup' | 'setGroup' | 'retireGroup'
>;

export function lifecycleCalls(site: Site, journals: Journals): LifecycleCalls {
  return {
    addVolume: (input) => site.change((state, now) => lifecycle.addVolume(state, input, now)),
    retireVolume: async (input) => {
      site.state.volume(input.volume);
      await journals.openAll([input.volume]);
      return site.change((state, now) => lifecycle.retireVolume(state, input, now));
    },
    addGroup: (input) => site.change((state) => lifecycle.addGroup(state, input)),
    setGroup: (input) => site.change((state, now) => lifecycle.setGroup(state, input, now)),
    retireGroup: (input) => site.change((state, now) => lifecycle.retireGroup(state, input, now)),
  };
}
