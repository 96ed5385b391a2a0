// The SDK's clients for appliances and splitters: takes them into use, empties and retires them.
import type { Ports } from '../../control/ports.js';
import type { SplitterId } from '../../contracts/ids.js';
import type { Changed } from '../../contracts/lifecycle.js';
import type { BatchClient } from '../batches/batch-client.js';
import {
  addAppliance,
  type ApplianceDrain,
  type ApplianceOrder,
  drainAppliance,
  type DrainApplianceOrder,
  retireAppliance,
} from './appliances.js';
import { addSplitter, type DrainedVolume, drainSplitter, retireSplitter, type SplitterOrder } from './splitters.js';

export interface ApplianceClient {
  /**
   * Takes an appliance of the estate file into use, or a retired one again: it must answer and
   * reach the replica site. Safe to repeat.
   * @throws CHANGE_REFUSED with every reason
   */
  add(order: ApplianceOrder): Promise<Changed>;
  /**
   * Starts one batch that moves all its volumes to groups of other appliances. Its groups stay,
   * empty. While the batch runs, a repetition returns it.
   * @throws CHANGE_REFUSED with every reason; INVALID_REQUEST
   */
  drain(order: DrainApplianceOrder): Promise<ApplianceDrain>;
  /**
   * Ends the use of an appliance: nothing can be given to it any more, and its process may be
   * stopped. Refused while a group is set to it or an image is open at it. Safe to repeat.
   * @throws CHANGE_REFUSED with every reason
   */
  retire(order: ApplianceOrder): Promise<Changed>;
}

export interface SplitterClient {
  /**
   * Takes a splitter of the estate file into use, or a retired one again. Safe to repeat.
   * @throws CHANGE_REFUSED with every reason
   */
  add(order: SplitterOrder): Promise<Changed>;
  /** Lists the volumes that keep it in use, and what stands against retiring each. */
  drain(splitter: SplitterId): Promise<DrainedVolume[]>;
  /**
   * Ends the use of a splitter: no volume can be added at it any more, and its process may be
   * stopped. Refused while it has volumes that are not retired. Safe to repeat.
   * @throws CHANGE_REFUSED with every reason
   */
  retire(order: SplitterOrder): Promise<Changed>;
}

export function createApplianceClient(ports: Ports, batches: Pick<BatchClient, 'start'>): ApplianceClient {
  return {
    add: (order) => addAppliance(ports, order),
    drain: (order) => drainAppliance(ports, batches, order),
    retire: (order) => retireAppliance(ports, order),
  };
}

export function createSplitterClient(ports: Ports): SplitterClient {
  return {
    add: (order) => addSplitter(ports, order),
    drain: (splitter) => drainSplitter(ports, splitter),
    retire: (order) => retireSplitter(ports, order),
  };
}
