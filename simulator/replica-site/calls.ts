// The control API of the replica site: each call applies one rule and stores what it changed before
// it is answered.
import type { VolumeId } from '../../contracts/ids.js';
import type { Rebuilt, RebuildInput } from '../../contracts/repair.js';
import type { replicaSiteApi, SiteVolume } from '../../contracts/replica-site-api.js';
import { requireFaults } from '../control-server/faults.js';
import type { Handlers } from '../control-server/handlers.js';
import { closePoint } from './close-point.js';
import * as attempts from './core/attempts.js';
import { pageOfGroups, pageOfPoints, siteVolume } from './core/listings.js';
import { findPoint, markPoint } from './core/points.js';
import { doubtAbout } from './core/point-doubt.js';
import { inventoryVolume, pageOfVolumes } from './core/volume-listing.js';
import { damagedMembers, damageNotes } from './damage-words.js';
import type { Durability } from './durability.js';
import type { Images } from './images.js';
import type { Journals } from './journals.js';
import { digestImage, openMarkImage } from './mark-images.js';
import type { Reports } from './reports/reports.js';
import type { Site } from './site.js';

export interface CallsOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly durability: Durability;
  readonly images: Images;
  readonly reports: Reports;
  readonly rebuild: (input: RebuildInput) => Promise<Rebuilt>;
  /** Whether nothing more of the volume is taken in now. */
  readonly isStalled: (volume: VolumeId) => boolean;
  /** Whether faults may be injected. */
  readonly faults: boolean;
}

export function replicaSiteCalls({
  site,
  journals,
  durability,
  images,
  reports,
  rebuild,
  isStalled,
  faults,
}: CallsOptions): Handlers<typeof replicaSiteApi> {
  const { state } = site;
  return {
    open: (input) => site.change((state, now) => attempts.openAttempt(state, input, now)),
    renew: ({ attempt, leaseMs }) =>
      site.change((state, now) => attempts.renewAttempt(state, attempt, leaseMs, now.monotonicMs)),
    drain: async ({ attempt, cuts }) => {
      await journals.require(cuts.map((cut) => cut.volume));
      return attempts.drainProgress(state, attempt, cuts);
    },
    seal: async ({ attempt, cuts, atMs, doubt, others, leaseMs }) => {
      await journals.require(cuts.map((cut) => cut.volume));
      await journals.lookAt(others.map((cut) => cut.volume));
      const known = others.filter((cut) => !journals.unusable.has(cut.volume));
      return site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.sealAttempt(state, attempt, cuts, known, atMs, { now, doubt });
      });
    },
    bookmark: ({ attempt, leaseMs, ...left }) =>
      site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.bookmarkAttempt(state, attempt, left);
      }),
    adopt: ({ attempt, leaseMs }) =>
      site.change((state, now) => {
        attempts.renewIfOpen(state, attempt, leaseMs, now.monotonicMs);
        return attempts.adoptAttempt(state, attempt, now);
      }),
    resolve: ({ attempt, reason, onlyIfExpired }) =>
      site.change((state, now) =>
        onlyIfExpired
          ? attempts.resolveExpired(state, attempt, reason, now)
          : attempts.resolveAttempt(state, attempt, reason, now.wallMs),
      ),
    get: (attempt) => attempts.getAttempt(state, attempt),
    join: ({ attempt, point }) => site.change((state) => attempts.joinAttempt(state, attempt, point)),
    listPoints: async ({ group, volume, ...page }) => {
      if (group !== undefined) state.group(group);
      if (volume !== undefined) state.volume(volume);
      if (volume !== undefined) await journals.lookAt([volume]);
      const { items: points, ...rest } = pageOfPoints(state, { group, volume, ...page });
      const damaged = damagedMembers(points, (member) => journals.open.get(member));
      return damaged.length === 0 ? { points, ...rest } : { points, damaged, ...rest };
    },
    markPoint: (input) => site.change((state, now) => markPoint(state, input, now.ageMs)),
    findPoint: (query) => {
      if (query.group !== undefined) state.group(query.group);
      if (query.volume !== undefined) state.volume(query.volume);
      const point = findPoint(state, query);
      const doubt = query.atMs === undefined ? undefined : doubtAbout(state, query, point, query.atMs);
      return doubt === undefined ? point : { ...point, doubt };
    },
    groups: (input) => {
      const { items: groups, ...rest } = pageOfGroups(state, input, site.now.monotonicMs);
      return { groups, ...rest };
    },
    volumes: async (input) => {
      const { items, ...rest } = pageOfVolumes(state, input);
      await journals.lookAt(items.map((row) => row.volume));
      const { monotonicMs } = site.now;
      const volumes = items.map(({ volume }) => {
        const journal = journals.open.get(volume);
        const damage = journal === undefined ? [] : [...damageNotes(volume, journal)];
        const shown = { ...siteVolume(state, state.volume(volume), monotonicMs), ...stallsOf(journals, volume) };
        return damage.length === 0 ? shown : { ...shown, damage };
      });
      return { volumes, ...rest };
    },
    inventory: (input) => {
      const { items, ...rest } = pageOfVolumes(state, input);
      return { volumes: items.map((row) => inventoryVolume(state, row)), ...rest };
    },
    storeReport: (report) => {
      reports.moves.put(report);
      return {};
    },
    report: ({ move }) => reports.moves.get(move),
    reports: (input) => reports.moves.page(input),
    storeBatchPlan: (input) => {
      reports.batches.storePage(input);
      return {};
    },
    finishBatchPlan: (input) => reports.batches.finish(input),
    batchPlan: (input) => reports.batches.page(input),
    storeBatchReport: (report) => {
      reports.batches.storeReport(report);
      return {};
    },
    batchReport: ({ batch }) => reports.batches.report(batch),
    rebuild: async (input) => rebuild(input),
    closePoint: async (input, { signal }) => closePoint({ site, journals, durability }, isStalled, input, signal),
    openMarkImage: async (input, { signal }) => openMarkImage({ site, journals, durability, images }, input, signal),
    digestImage: async (input, { signal }) => digestImage(images, input, signal),
    closeMarkImage: ({ image }) => {
      images.close(image);
      return {};
    },
    openImage: async (input, { signal }) => images.open(input, signal),
    keepImages: ({ images: ids }) => images.keep(ids),
    closeImage: ({ image }) => {
      images.close(image);
      return {};
    },
    setDistribution: async (state) => {
      requireFaults(faults);
      const journal = await journals.journal(state.volume);
      if (state.paused) await journal.pauseDistribution();
      else journal.resumeDistribution();
      return state;
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
