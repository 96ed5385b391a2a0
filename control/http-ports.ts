// The ports over HTTP: a typed client for each splitter and appliance of the estate, made once per
// process.
import { applianceApi } from '../contracts/appliance-api.js';
import { controlUrl, type Estate } from '../contracts/estate.js';
import { splitterApi } from '../contracts/splitter-api.js';
import { createApiClient } from './client.js';
import type { Credentials } from './credentials.js';
import type { AppliancePort, Ports, SplitterPort } from './ports.js';

export interface HttpPortsOptions {
  /** Token and certificate for the control APIs; absent: none. */
  readonly credentials?: Credentials | undefined;
  /** Longest time of one call, ms. Default: the client's. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Makes the ports; connects to nothing yet. The first call that needs a process finds out whether
 * it is reachable.
 */
export function createHttpPorts(
  estate: Pick<Estate, 'appliances' | 'splitters'>,
  { credentials, timeoutMs }: HttpPortsOptions = {},
): Ports {
  const appliances = estate.appliances.map(({ id, control }): AppliancePort => {
    const url = controlUrl(control);
    return { id, url, calls: createApiClient(applianceApi, { baseUrl: url, credentials, timeoutMs }) };
  });
  const splitters = estate.splitters.map(({ id, control }): SplitterPort => ({
    id,
    calls: createApiClient(splitterApi, { baseUrl: controlUrl(control), credentials, timeoutMs }),
  }));
  return {
    appliances: new Map(appliances.map((port) => [port.id, port])),
    splitters: new Map(splitters.map((port) => [port.id, port])),
  };
}
