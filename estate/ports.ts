// The TCP ports of an estate: who wants which, which are taken, and free ones where the file leaves
// the choice open.
import type { Estate } from '../contracts/estate.js';
import { isPortFree } from './temporal/free-port.js';

/**
 * Free ports are taken from here: below what Linux and macOS give to outgoing connections (from
 * 32768 and 49152 on). A port from there could be taken by any connection while the process that
 * owns it restarts, even by one that tries to reach it.
 */
const FREE_PORT_MIN = 20_000;
const FREE_PORT_MAX = 32_000;
/** Tries for one free port: with a thousand ports in use, two are hardly ever needed. */
const FREE_PORT_TRIES = 50;

const ADVICE =
  'Does an estate run already? Stop what listens there, or copy estate/default-estate.json, change the ports, and: npm start -- --estate my.json --data my-folder';

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

/** @throws Error naming every port that is taken, or wanted twice, and who wants it. */
export async function refuseTakenPorts(wanted: readonly WantedPort[]): Promise<void> {
  const problems: string[] = [];
  const owners = new Map<number, string>();
  for (const { port, by } of wanted) {
    if (port === 0) continue;
    const other = owners.get(port);
    if (other !== undefined) problems.push(`port ${port} is wanted twice: by ${other} and by ${by}`);
    else if (!(await isPortFree(port))) problems.push(`port ${port} is taken: ${by} wants it`);
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
    worker: { health: await chosenOr(estate.worker.health) },
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
 * @param chosen taken by others of the estate; the port is added.
 * @throws Error when none is free
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

/** The same estate with every port left open (0), so that it can run beside others. */
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
    worker: { health: free(estate.worker.health) },
  };
}
