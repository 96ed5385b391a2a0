// The ports through which the orchestrator reaches the estate: the control API of each splitter and
// appliance.
import type { applianceApi } from '../contracts/appliance-api.js';
import { hasRemedy } from '../contracts/error-registry.js';
import { isSilence, MoverError } from '../contracts/errors.js';
import type { HookCall } from '../contracts/hooks.js';
import type { ApplianceId, SplitterId } from '../contracts/ids.js';
import type { Calls } from '../contracts/route.js';
import type { splitterApi } from '../contracts/splitter-api.js';

/** Ids that an error lists. */
const SHOWN_MAX = 10;

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

/** What a worker runs around the fence of a move. */
export interface Hooks {
  /**
   * Runs what is configured before a fence. It may freeze applications: whatever comes of the
   * fence, the caller thaws them. @throws MoverError HOOK_VETO; then nothing is frozen
   */
  beforeFence(call: Omit<HookCall, 'event'>): Promise<Frozen>;
}

export interface Frozen {
  /** Never rejects. @returns whether applications were frozen and stood still until now */
  thaw(): Promise<boolean>;
}

export interface Ports {
  readonly appliances: ReadonlyMap<ApplianceId, AppliancePort>;
  readonly splitters: ReadonlyMap<SplitterId, SplitterPort>;
  /** Absent where none are configured. */
  readonly hooks?: Hooks | undefined;
}

/** Finds an appliance. @throws MoverError UNREACHABLE when the estate names no such appliance. */
export function applianceOf(ports: Ports, id: ApplianceId): AppliancePort {
  const port = ports.appliances.get(id);
  if (port === undefined) throw unknown('appliance', id, ports.appliances);
  return port;
}

/** Finds a splitter. @throws MoverError UNREACHABLE when the estate names no such splitter. */
export function splitterOf(ports: Ports, id: SplitterId): SplitterPort {
  const port = ports.splitters.get(id);
  if (port === undefined) throw unknown('splitter', id, ports.splitters);
  return port;
}

function unknown(role: 'appliance' | 'splitter', id: string, known: ReadonlyMap<string, unknown>): MoverError {
  return new MoverError('UNREACHABLE', `${missingFrom(role, id, known).replace(/^t/, 'T')}.`);
}

/** Says that the estate file has no such process, and which ones it has. */
export function missingFrom(role: 'appliance' | 'splitter', id: string, known: ReadonlyMap<string, unknown>): string {
  const shown = [...known.keys()].slice(0, SHOWN_MAX);
  const more = known.size > shown.length ? ` and ${known.size - shown.length} more` : '';
  const listed = shown.length === 0 ? `no ${role}` : `${shown.join(', ')}${more}`;
  return `the estate file has no ${role} "${id}"; it has ${listed}`;
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
