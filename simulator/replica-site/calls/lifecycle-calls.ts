// Changes of the estate at run time. A refused one, and a dry run, change nothing.
import { MoverError } from '../../../contracts/errors.js';
import { refuseUnconfirmed } from '../../../contracts/lifecycle.js';
import type { siteProcessesApi } from '../../../contracts/processes.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import * as lifecycle from '../core/lifecycle.js';
import * as processes from '../core/processes.js';
import type { Images } from '../images.js';
import type { Journals } from '../journals.js';
import type { Site } from '../site.js';

type LifecycleCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  | 'addVolume'
  | 'setVolume'
  | 'growVolume'
  | 'retireVolume'
  | 'forgetVolume'
  | 'addGroup'
  | 'setGroup'
  | 'retireGroup'
  | keyof typeof siteProcessesApi
>;

export function lifecycleCalls(site: Site, journals: Journals, images: Pick<Images, 'countOf'>): LifecycleCalls {
  return {
    addVolume: (input) => site.change((state, now) => lifecycle.addVolume(state, input, now)),
    setVolume: (input) => site.change((state) => lifecycle.setVolume(state, input)),
    growVolume: (input) => site.change((state, now) => lifecycle.growVolume(state, input, now)),
    retireVolume: async (input) => {
      site.state.volume(input.volume);
      await journals.openAll([input.volume]);
      return site.change((state, now) => lifecycle.retireVolume(state, input, now));
    },
    forgetVolume: async (input) => {
      refuseUnconfirmed(input);
      const { volume, dryRun } = input;
      const open = images.countOf(volume);
      const changed = site.change((state, now) =>
        lifecycle.beginForgetting(state, { volume, dryRun, images: open }, now),
      );
      if (dryRun) return changed;
      // A kill from here on leaves a volume that nothing names and nobody opens: the repeated call
      // removes the rest.
      await journals.remove(volume, new MoverError('VOLUME_RETIRED', `Volume "${volume}" was forgotten.`));
      site.change((state) => lifecycle.endForgetting(state, volume));
      site.state.forgetVolume(volume);
      return changed;
    },
    addGroup: (input) => site.change((state) => lifecycle.addGroup(state, input)),
    setGroup: (input) => site.change((state, now) => lifecycle.setGroup(state, input, now)),
    retireGroup: (input) => site.change((state, now) => lifecycle.retireGroup(state, input, now)),
    retiredProcesses: () => processes.retiredProcesses(site.state),
    addAppliance: (input) => site.change((state) => processes.addAppliance(state, input)),
    retireAppliance: (input) => site.change((state, now) => processes.retireAppliance(state, input, now)),
    addSplitter: (input) => site.change((state) => processes.addSplitter(state, input)),
    retireSplitter: (input) => site.change((state, now) => processes.retireSplitter(state, input, now)),
  };
}
