// The control API of the replica site. Each call applies one rule and stores what the rule changed
// before it is answered.
import type { VolumeId } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { Rebuilt, RebuildInput } from '../../../contracts/repair.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import type { Durability } from '../durability.js';
import type { Images } from '../images.js';
import type { Journals } from '../journals.js';
import type { Reports } from '../reports/reports.js';
import type { Site } from '../site.js';
import { attemptCalls } from './attempt-calls.js';
import { imageCalls } from './image-calls.js';
import { lifecycleCalls } from './lifecycle-calls.js';
import { journalCalls } from './journal-calls.js';
import { pointCalls } from './point-calls.js';
import { reportCalls } from './report-calls.js';
import { volumeCalls } from './volume-calls.js';

export interface CallsOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly durability: Durability;
  readonly images: Images;
  readonly reports: Reports;
  readonly rebuild: (input: RebuildInput) => Promise<Rebuilt>;
  /** Whether the site takes no records of the volume now. */
  readonly isStalled: (volume: VolumeId) => boolean;
  /** Called with each point that was closed. */
  readonly onClosed: (point: RecoveryPoint) => void;
  /** Whether faults may be injected. */
  readonly faults: boolean;
}

export function replicaSiteCalls(options: CallsOptions): Handlers<typeof replicaSiteApi> {
  const { site, journals, images, reports } = options;
  return {
    ...attemptCalls(site, journals),
    ...pointCalls(options),
    ...volumeCalls(site, journals),
    ...lifecycleCalls(site, journals, images),
    ...imageCalls(options, images),
    ...journalCalls(options),
    ...reportCalls(reports, site),
  };
}
