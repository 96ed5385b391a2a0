// Listings of groups and volumes.
import type { VolumeId } from '../../../contracts/ids.js';
import type { replicaSiteApi, SiteVolume } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import { pageOfGroups, siteVolume } from '../core/listings.js';
import { inventoryVolume, pageOfVolumes } from '../core/volume-listing.js';
import { damageNotes } from '../damage-text.js';
import type { Journals } from '../journals.js';
import type { Site } from '../site.js';

type VolumeCalls = Pick<Handlers<typeof replicaSiteApi>, 'groups' | 'volumes' | 'inventory'>;

export function volumeCalls(site: Site, journals: Journals): VolumeCalls {
  const { state } = site;
  return {
    groups: (input) => {
      const { items: groups, ...rest } = pageOfGroups(state, input, site.now);
      return { groups, ...rest };
    },
    volumes: async (input) => {
      const { items, ...rest } = pageOfVolumes(state, input);
      await journals.openAll(items.map((row) => row.volume));
      const { now } = site;
      const volumes = items.map(({ volume }) => {
        const journal = journals.open.get(volume);
        const damage = journal === undefined ? [] : [...damageNotes(volume, journal)];
        const shown = { ...siteVolume(state, state.volume(volume), now), ...stallsOf(journals, volume) };
        return damage.length === 0 ? shown : { ...shown, damage };
      });
      return { volumes, ...rest };
    },
    inventory: (input) => {
      const { items, ...rest } = pageOfVolumes(state, input);
      return { volumes: items.map((row) => inventoryVolume(state, row)), ...rest };
    },
  };
}

function stallsOf(journals: Journals, volume: VolumeId): Pick<SiteVolume, 'stalls'> {
  const stalls = journals.open.get(volume)?.stalls;
  if (stalls === undefined || stalls.size === 0) return {};
  return {
    stalls: [...stalls].map(([part, { error, sinceMs }]) => ({ part, sinceMs, message: error.message })),
  };
}
