// Runs the checks of a splitter: one test volume after the other, one check after the other.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import type { Endpoint } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { applianceIdSchema, groupIdSchema, type VolumeId } from '../../contracts/ids.js';
import { lineageIdSchema } from '../../contracts/lineage.js';
import { type SplitterVolume, splitterApi } from '../../contracts/splitter-api.js';
import { createApiClient } from '../../control/client.js';
import type { Credentials } from '../../control/credentials.js';
import { described } from '../expectations.js';
import { type Evidence, type Finding, Skipped, Unmet } from '../finding.js';
import { ApplianceStandIn } from './appliance-stand-in.js';
import { SplitterBench } from './bench.js';
import { attemptChecks } from './checks/attempts.js';
import type { SplitterCheck } from './checks/check.js';
import { cutChecks } from './checks/cuts.js';
import { documentChecks } from './checks/documents.js';
import { restartChecks } from './checks/restart.js';
import { streamChecks } from './checks/stream.js';
import { SPLITTER_CLAUSES, type SplitterClause } from './clauses.js';
import { GuestDisk } from './guest-disk.js';
import { SiteStandIn } from './site-stand-in.js';

const CHECKS: readonly SplitterCheck[] = [
  ...documentChecks,
  ...streamChecks,
  ...attemptChecks,
  ...cutChecks,
  ...restartChecks,
];

export interface SplitterKitOptions {
  readonly url: string;
  readonly credentials?: Credentials | undefined;
  /** The test volumes, each with its guest's disk as an nbd:// URL. Nothing else is touched. */
  readonly volumes: ReadonlyMap<VolumeId, string>;
  /** Where volumes move to and back; the URL is where the kit listens. Default: a free port. */
  readonly to?: Partial<Endpoint> | undefined;
  /** Ends the splitter and starts it again, in any way. Without it S5 is skipped. */
  readonly restart?: (() => Promise<void>) | undefined;
  /** Longest wait for what a check expects to come, ms. */
  readonly patienceMs: number;
  /** Only these clauses; default: all. */
  readonly only?: ReadonlySet<SplitterClause> | undefined;
  readonly onFinding?: (finding: Finding) => void;
}

/**
 * Checks a splitter.
 * @throws MoverError INVALID_REQUEST without volumes, or with a wrong disk; VOLUME_NOT_FOUND;
 * CHANGE_REFUSED when a volume is in use or its appliance answers; else as the inventory
 */
export async function checkSplitter(options: SplitterKitOptions): Promise<Finding[]> {
  const { url, credentials, volumes } = options;
  if (volumes.size === 0)
    throw new MoverError('INVALID_REQUEST', 'Name at least one test volume: the kit touches no other.');
  const calls = createApiClient(splitterApi, { baseUrl: url, credentials, timeoutMs: options.patienceMs });
  const inventory = await calls.inventory({});
  const disks = [...volumes].map(([volume, disk]) => ({
    before: testVolume(inventory.volumes, volume),
    disk: new GuestDisk(disk),
  }));
  const findings: Finding[] = [];
  for (const { before, disk } of disks) findings.push(...(await checkVolume({ options, calls, before, disk })));
  return findings;
}

/** @throws MoverError VOLUME_NOT_FOUND, CHANGE_REFUSED */
function testVolume(volumes: readonly SplitterVolume[], id: VolumeId): SplitterVolume {
  const volume = volumes.find((each) => each.volume === id);
  if (volume === undefined)
    throw new MoverError('VOLUME_NOT_FOUND', `The splitter has no volume "${id}". Nothing was changed.`);
  const refuse = (why: string): never => {
    throw new MoverError('CHANGE_REFUSED', `Volume "${id}" is no test volume: ${why}. Nothing was changed.`);
  };
  if (volume.connected) refuse('an appliance takes its writes now');
  if (volume.fence !== undefined || volume.notice !== undefined) refuse('a move holds it');
  const isQuiet = volume.unconfirmedBytes === 0 && volume.markedRegions === 0;
  if (volume.confirmed !== undefined && volume.last.n > 0 && !isQuiet)
    refuse('not all of its writes were confirmed; restart the splitter first');
  return volume;
}

interface VolumeRun {
  readonly options: SplitterKitOptions;
  readonly calls: SplitterBench['calls'];
  readonly before: SplitterVolume;
  readonly disk: GuestDisk;
}

async function checkVolume({ options, calls, before, disk }: VolumeRun): Promise<Finding[]> {
  const { url, credentials, restart, patienceMs } = options;
  const { epoch: _epoch, ...route } = before.route;
  const site = new SiteStandIn(before, lineageIdSchema.parse(randomBytes(16).toString('hex')));
  const home = new ApplianceStandIn(route, site, before.splitter);
  const other = new ApplianceStandIn(await otherEndpoint(route, options.to), site, before.splitter);
  const token = credentials?.token;
  const bench = new SplitterBench({ url, token, calls, before, disk, site, home, other, restart, patienceMs });
  try {
    await home.start();
    await other.start();
    return await runChecks(bench, options);
  } finally {
    await disk.close();
    await home.stop();
    await other.stop();
  }
}

async function runChecks(bench: SplitterBench, { only, onFinding }: SplitterKitOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  const found = (finding: Finding): void => {
    findings.push(finding);
    onFinding?.(finding);
  };
  const { volume, scratch, breaches } = bench.site;
  const original = await bench.within('a read', 'the content', bench.disk.read(0, scratch.length));
  let broken: string | undefined;
  const named = (clause: SplitterClause) => ({ clause, title: SPLITTER_CLAUSES[clause], volume });
  await bench
    .settle()
    .then(async () => bench.restore(original))
    .catch((error: unknown) => {
      broken = `the volume never became quiet: ${described(error)}`;
    });
  for (const { clause, run } of CHECKS.filter(({ clause }) => only === undefined || only.has(clause))) {
    const outcome: Outcome = broken === undefined ? await outcomeOf(bench, run) : { skip: broken };
    if (broken === undefined)
      await bench.settle().catch((error: unknown) => {
        broken = `the volume could not be set right after ${clause}: ${described(error)}`;
      });
    const met = breaches.splice(0);
    const isWrecked = broken !== undefined && 'ok' in outcome;
    const evidence =
      met.find((breach) => breach.clause === clause)?.evidence ??
      ('evidence' in outcome ? outcome.evidence : undefined) ??
      (isWrecked ? { sent: 'the end of the check', expected: 'a quiet volume', came: broken ?? '' } : undefined);
    if (evidence !== undefined) found({ ...named(clause), result: 'fail', evidence });
    else if ('skip' in outcome) found({ ...named(clause), result: 'skip', reason: outcome.skip });
    else found({ ...named(clause), result: 'pass' });
    // A breach of the stream's rules is told at its own clause, whatever the check was about.
    const elsewhere = new Map(
      met.filter((breach) => breach.clause !== clause).map((breach) => [breach.clause, breach]),
    );
    for (const breach of elsewhere.values())
      found({ ...named(breach.clause), result: 'fail', evidence: breach.evidence });
  }
  // A splitter that is stuck fails its clause; what was written to it may stay.
  if (broken === undefined)
    await bench.restore(original).catch((error: unknown) => {
      if (!(error instanceof Unmet)) throw error;
      found({ ...named('S2.8'), result: 'fail', evidence: error.evidence });
    });
  return findings;
}

type Outcome = { readonly evidence: Evidence } | { readonly skip: string } | { readonly ok: true };

async function outcomeOf(bench: SplitterBench, run: SplitterCheck['run']): Promise<Outcome> {
  try {
    await run(bench);
    return { ok: true };
  } catch (error) {
    if (error instanceof Skipped) return { skip: error.message };
    if (error instanceof Unmet) return { evidence: error.evidence };
    return { evidence: { sent: 'the calls of the clause', expected: 'no failure', came: described(error) } };
  }
}

/** The group and the appliance that the volume moves to and back. */
async function otherEndpoint(home: Endpoint, given: Partial<Endpoint> = {}): Promise<Endpoint> {
  const { hostname } = new URL(home.url);
  return {
    group: given.group ?? groupIdSchema.parse('conformance-other'),
    appliance: given.appliance ?? applianceIdSchema.parse('conformance-other'),
    url: given.url ?? `http://${hostname}:${await freePort(hostname)}`,
  };
}

async function freePort(hostname: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, hostname.replace(/^\[|\]$/g, ''), resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}
