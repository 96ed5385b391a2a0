// The SDK's client for image accesses: recovery points opened as NBD disks.
import type { AccessId } from '../../contracts/images.js';
import type { Ports } from '../../control/ports.js';
import {
  closeAccess,
  getAccess,
  listAccesses,
  type ListedAccess,
  type ListedAccesses,
  openAccess,
  type OpenImageInput,
} from './accesses.js';

export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ImageClient {
  /**
   * Opens a recovery point of a group (all its volumes or none) or of a volume as NBD disks,
   * read-only or with a scratch for writes. The access ends when it is closed, when nobody was
   * connected for two hours, or when its time is up (`forMs`, 12 hours by default, 7 days at most).
   * @throws POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT, INVALID_REQUEST,
   * ACCESS_MISMATCH; the signal's reason
   */
  open(input: OpenImageInput, options?: OpenOptions): Promise<ListedAccess>;
  /** Finds an access that is open or was among the last to end. @throws ACCESS_NOT_FOUND */
  get(access: AccessId): Promise<ListedAccess>;
  /** The accesses of all appliances, newest first: open ones, and those that ended last. */
  list(): Promise<ListedAccesses>;
  /**
   * Disconnects the access's clients and discards its writes. Closing it again is no error.
   * @throws ACCESS_NOT_FOUND
   */
  close(access: AccessId): Promise<ListedAccess>;
}

/**
 * @param patient ports with a long time limit: opening takes longer the more has changed since the
 * point
 */
export function createImageClient(ports: Ports, patient: Ports): ImageClient {
  return {
    open: (input, { signal } = {}) => openAccess(patient, input, signal),
    get: (access) => getAccess(ports, access),
    list: () => listAccesses(ports),
    close: (access) => closeAccess(ports, access),
  };
}
