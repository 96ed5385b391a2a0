// The TCP ports of an estate: who uses which, which are taken, and free ones where the file says 0.
import type { Estate } from '../contracts/estate.js';
import { isPortFree } from './temporal/free-port.js';

/**
 * Range of free ports: below those that Linux and macOS use for outgoing connections (from 32768
 * and 49152 on). Such a port could be taken by any connection while its owner restarts, even by a
 * connection to it.
 */
const FREE_PORT_MIN = 20_000;
const FREE_PORT_MAX = 32_000;
/** Tries to find one free port: with a thousand ports in use, more than two are rare. */
const FREE_PORT_TRIES = 50;

const ADVICE =
  'Is an estate running already? Stop what listens there, or copy estate/default-estate.json, change the ports, and: npm start -- --estate my.json --data my-folder';

/** Ports of a Temporal server that is started for an estate whose file names none. */
export const TEMPORAL_PORTS = { port: 7_233, uiPort: 8_233 };

export interface WantedPort {
  readonly port: number;
  /** @example "splitter host-1 for NBD" */
  readonly by: string;
}

/** Every port that the estate's own processes listen on. */
export function wantedPorts(estate: Estate): WantedPort[] {
  return [
    { port: estate.replicaSite.control.port, by: 'the replica site for its control API' },
    ...estate.appliances.flatMap(({ id, control, nbd }) => [
      { port: control.port, by: `appliance ${id} for its control API` },
      { port: nbd.port, by: `appliance ${id} for NBD` },
    ]),
    ...estate.splitters.flatMap(({ id, control, nbd }) => [
      { port: control.port, by: `splitter ${id} for its control API` },
      { port: nbd.port, by: `splitter ${id} for NBD` },
    ]),
    { port: estate.worker.health.port, by: 'the worker for its health check' },
  ];
}

/** Checks the ports. @throws Error naming every port that is taken or used twice, and its users */
export async function refuseTakenPorts(wanted: readonly WantedPort[]): Promise<void> {
  const problems: string[] = [];
  const owners = new Map<number, string>();
  for (const { port, by } of wanted) {
    if (port === 0) continue;
    const other = owners.get(port);
    if (other !== undefined) problems.push(`port ${port} is used twice: by ${other} and by ${by}`);
    else if (!(await isPortFree(port))) problems.push(`port ${port} is taken, and it is needed by ${by}`);
    owners.set(port, by);
  }
  if (problems.length > 0) throw new Error(['The estate cannot start:', ...problems, ADVICE].join('\n  '));
}

/** The estate with every port 0 replaced by a free one. */
export async function withPorts(estate: Estate): Promise<Estate> {
  const chosen = new Set(wantedPorts(estate).map(({ port }) => port));
  const chosenOr = async <Listen extends { readonly port: number }>(listen: Listen): Promise<Listen> =>
    listen.port === 0 ? { ...listen, port: await chooseFreePort(chosen) } : listen;
  const resolved: Estate = {
    ...estate,
    replicaSite: { control: await chosenOr(estate.replicaSite.control) },
    appliances: [],
    splitters: [],
    worker: { ...estate.worker, health: await chosenOr(estate.worker.health) },
  };
  for (const appliance of estate.appliances) {
    const { control, nbd } = appliance;
    resolved.appliances.push({ ...appliance, control: await chosenOr(control), nbd: await chosenOr(nbd) });
  }
  for (const splitter of estate.splitters) {
    const { control, nbd } = splitter;
    resolved.splitters.push({ ...splitter, control: await chosenOr(control), nbd: await chosenOr(nbd) });
  }
  return resolved;
}

/**
 * A free port in the range.
 * @param chosen ports that the estate already uses; the new port is added
 * @throws Error when none is found
 */
export async function chooseFreePort(chosen: Set<number>): Promise<number> {
  for (let tries = 0; tries < FREE_PORT_TRIES; tries += 1) {
    const port = FREE_PORT_MIN + Math.floor(Math.random() * (FREE_PORT_MAX - FREE_PORT_MIN));
    if (chosen.has(port) || !(await isPortFree(port))) continue;
    chosen.add(port);
    return port;
  }
  throw new Error(`No free TCP port was found between ${FREE_PORT_MIN} and ${FREE_PORT_MAX}.`);
}

/** The estate with every port set to 0, so that it can run beside others. */
export function onFreePorts(estate: Estate): Estate {
  const free = <Listen extends { readonly port: number }>(listen: Listen): Listen => ({ ...listen, port: 0 });
  return {
    ...estate,
    replicaSite: { control: free(estate.replicaSite.control) },
    appliances: estate.appliances.map((appliance) => ({
      ...appliance,
      control: free(appliance.control),
      nbd: free(appliance.nbd),
    })),
    splitters: estate.splitters.map((splitter) => ({
      ...splitter,
      control: free(splitter.control),
      nbd: free(splitter.nbd),
    })),
    worker: { ...estate.worker, health: free(estate.worker.health) },
  };
}
