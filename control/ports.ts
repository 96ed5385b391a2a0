// The ports through which the orchestrator reaches the estate: the control API of each splitter and
// appliance.
import type { applianceApi } from '../contracts/appliance-api.js';
import { hasRemedy } from '../contracts/error-registry.js';
import { isSilence, MoverError } from '../contracts/errors.js';
import type { ApplianceId, SplitterId } from '../contracts/ids.js';
import type { Calls } from '../contracts/route.js';
import type { splitterApi } from '../contracts/splitter-api.js';

export interface AppliancePort {
  readonly id: ApplianceId;
  /** Its control URL, which splitters are told. */
  readonly url: string;
  readonly calls: Calls<typeof applianceApi>;
}

export interface SplitterPort {
  readonly id: SplitterId;
  readonly calls: Calls<typeof splitterApi>;
}

export interface Ports {
  readonly appliances: ReadonlyMap<ApplianceId, AppliancePort>;
  readonly splitters: ReadonlyMap<SplitterId, SplitterPort>;
}

/** Finds an appliance. @throws MoverError UNREACHABLE when the estate names no such appliance. */
export function applianceOf(ports: Ports, id: ApplianceId): AppliancePort {
  const port = ports.appliances.get(id);
  if (port === undefined) throw new MoverError('UNREACHABLE', `The estate has no appliance "${id}".`);
  return port;
}

/** Finds a splitter. @throws MoverError UNREACHABLE when the estate names no such splitter. */
export function splitterOf(ports: Ports, id: SplitterId): SplitterPort {
  const port = ports.splitters.get(id);
  if (port === undefined) throw new MoverError('UNREACHABLE', `The estate has no splitter "${id}".`);
  return port;
}

/**
 * Asks the appliances one after the other until one answers for the replica site.
 * @throws MoverError the answer's own error; UNREACHABLE when none answered.
 */
export async function anyAppliance<T>(ports: Ports, ask: (appliance: AppliancePort) => Promise<T>): Promise<T> {
  let last: unknown = new MoverError('UNREACHABLE', 'The estate has no appliance.');
  for (const appliance of ports.appliances.values()) {
    try {
      return await ask(appliance);
    } catch (error) {
      if (!(error instanceof MoverError) || !hasRemedy(error.code, 'another-appliance')) throw error;
      last = error;
    }
  }
  throw last;
}

/** Turns an unreachable process into an empty answer: a listing has a gap but does not fail. */
export async function orNothing<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await asked;
  } catch (error) {
    if (isSilence(error)) return [];
    throw error;
  }
}
