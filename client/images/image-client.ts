// Image accesses: recovery points opened as NBD disks, looked at, listed, closed.
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
   * Opens a recovery point of a group (all its volumes, or none) or of a volume as NBD disks,
   * read-only or with a scratch for writes. It stays open until it is closed, nobody was connected
   * for two hours, or its time is up (`forMs`, 12 hours by default, 7 days at most).
   * @throws POINT_NOT_FOUND, POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT, INVALID_REQUEST,
   *   ACCESS_MISMATCH; the signal's reason
   */
  open(input: OpenImageInput, options?: OpenOptions): Promise<ListedAccess>;
  /** One that is open, or was among the last that ended. @throws ACCESS_NOT_FOUND */
  get(access: AccessId): Promise<ListedAccess>;
  /** Of every appliance, newest first: those that are open, and the last that ended. */
  list(): Promise<ListedAccesses>;
  /**
   * Disconnects its clients and throws its writes away. Closed again it is no error.
   * @throws ACCESS_NOT_FOUND
   */
  close(access: AccessId): Promise<ListedAccess>;
}

/**
 * @param patient for openings, which take time in proportion to what has changed since the point
 */
export function createImageClient(ports: Ports, patient: Ports): ImageClient {
  return {
    open: (input, { signal } = {}) => openAccess(patient, input, signal),
    get: (access) => getAccess(ports, access),
    list: () => listAccesses(ports),
    close: (access) => closeAccess(ports, access),
  };
}
