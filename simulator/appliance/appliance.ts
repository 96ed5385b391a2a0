// A data protection appliance as one process: relays, recovery points, image access and the control
// API.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { applianceApi } from '../../contracts/appliance-api.js';
import { MoverError } from '../../contracts/errors.js';
import { controlUrl } from '../../contracts/estate.js';
import type { VolumeId } from '../../contracts/ids.js';
import { ProcessClock } from '../../control/clock/process-clock.js';
import { AUDIT_FOLDER, AuditLog } from '../control-server/audit/audit-log.js';
import { APPLIANCE_DESCRIPTION } from '../control-server/descriptions.js';
import { createControlServer } from '../control-server/server.js';
import { createNbdServer } from '../../nbd/server.js';
import type { ProcessConfig } from '../process/config.js';
import type { RunningProcess } from '../process/run-process.js';
import { syncFolderNames } from '../disk/folder-names.js';
import { nbdCertificates } from '../process/nbd-certificates.js';
import { openRowStore } from '../store/row-store.js';
import { streamUpgrade } from '../stream/accept.js';
import { applianceCalls } from './calls.js';
import { ACCESSES_TABLE } from './images/access-log.js';
import { Accesses, type AccessLimits } from './images/accesses.js';
import { ImageDirectory } from './images/image-directory.js';
import { ImageReader } from './images/image-reader.js';
import { ScratchFolder } from './images/scratch-folder.js';
import { ClockSkews } from './clock-skews.js';
import { Join } from './join.js';
import { Link } from './link.js';
import { Members } from './members.js';
import { applianceMetrics } from './metrics.js';
import { Ownership } from './ownership.js';
import { PAUSED_TABLE, PausedGroups } from './paused-groups.js';
import { PointTimer } from './point-timer.js';
import { Relays } from './relays.js';
import { Rounds } from './rounds.js';
import { ServedGroups } from './served-groups.js';
import { SiteClient } from './site-client.js';

/** Random bytes in the name of one process life: no two lives of an appliance share a name. */
const LIFE_BYTES = 8;

export type ApplianceConfig = Pick<
  ProcessConfig,
  'id' | 'estate' | 'dataFolder' | 'access' | 'nbdTls' | 'auditLimits' | 'sync' | 'faults' | 'clockAgreesAfterMs'
>;

export interface ApplianceLimits extends AccessLimits {
  /** Longest wait of an image read for an unreachable replica site, ms. */
  readonly siteAwayMsMax?: number | undefined;
}

/**
 * Starts an appliance. It serves until stopped.
 * @throws when an address can't be listened on; MoverError INVALID_REQUEST if the estate file
 * doesn't list this appliance
 */
export async function startAppliance(
  config: ApplianceConfig,
  log: Logger,
  limits: ApplianceLimits = {},
): Promise<RunningProcess> {
  const { id, estate, dataFolder, access, auditLimits, sync, faults, clockAgreesAfterMs } = config;
  const credentials = access?.credentials;
  const appliance = estate.appliances.find((candidate) => candidate.id === id);
  if (appliance === undefined)
    throw new MoverError('INVALID_REQUEST', `There is no appliance "${id}" in the estate file.`);
  const siteUrl = controlUrl(estate.replicaSite.control);
  const clock = new ProcessClock({ process: `appliance ${id}`, agreesAfterMs: clockAgreesAfterMs, log });
  const skews = new ClockSkews(`appliance ${id}`, clock);
  const audit = new AuditLog({
    folder: join(dataFolder, AUDIT_FOLDER),
    process: `appliance ${id}`,
    clock,
    limits: auditLimits,
  });

  const store = openRowStore({ directory: join(dataFolder, 'rows'), tables: [PAUSED_TABLE, ACCESSES_TABLE], sync });
  if (sync) syncFolderNames(dataFolder);
  const paused = new PausedGroups(store);
  const link = new Link();
  const site = new SiteClient({ url: siteUrl, credentials, link });
  const members: Members = new Members({ site, log, onLearned: (volume) => sendPause(volume) });
  const relays: Relays = new Relays({
    siteUrl,
    credentials,
    link,
    onAttached: (attached) => members.attached(attached),
    onDetached: (volume) => members.askAgain(volume),
    log,
  });
  /** Tells the splitter of a newly attached volume if the volume's group is paused. */
  const sendPause = (volume: VolumeId): void => {
    const owner = members.known.ownerOf(volume);
    if (owner !== undefined && paused.has(owner.group)) relays.send('pause', new Set([volume]));
  };
  // Random instead of a time: after the clock is set back, a round must not reuse the name of an
  // earlier life's round.
  const name = `${appliance.id}.${randomBytes(LIFE_BYTES).toString('hex')}`;
  const rounds = new Rounds({ name, site, relays, members, credentials, clock, skews });
  const points = new PointTimer({ rounds, isAlive: (group) => served.isAlive(group), log });
  const served: ServedGroups = new ServedGroups({
    appliance: appliance.id,
    estate,
    site,
    members,
    relays,
    rounds,
    paused,
    onChanged: (groups) => points.serve(groups),
    log,
  });
  const ownership = new Ownership(site, served);

  const scratch = new ScratchFolder(join(dataFolder, 'scratch'), limits, log);
  const reader = new ImageReader({ siteUrl, credentials, link });
  const stopping = new AbortController();
  const parts = { site, reader, log, siteAwayMsMax: limits.siteAwayMsMax, stopping: stopping.signal };
  const accesses = new Accesses({ appliance: appliance.id, parts, scratch, store, log, ...limits });
  const nbd = createNbdServer({
    exports: new ImageDirectory({
      appliance: appliance.id,
      parts,
      accesses,
      scratch,
      listed: () => served.all.flatMap(({ group }) => [...members.known.membersOf(group)]),
      log,
    }),
    listen: [appliance.nbd],
    certificates: nbdCertificates(config.nbdTls, appliance.nbd.host, log),
    log,
  });
  let nbdPort = appliance.nbd.port;
  const server = createControlServer({
    ...APPLIANCE_DESCRIPTION,
    api: applianceApi,
    handlers: applianceCalls({
      appliance: appliance.id,
      site,
      link,
      members,
      relays,
      rounds,
      served,
      ownership,
      join: new Join(site, rounds, ownership),
      paused,
      accesses,
      clock,
      skews,
      nbd: () => ({ host: appliance.nbd.host, port: nbdPort }),
      faults,
    }),
    id,
    listen: appliance.control,
    access,
    audit,
    metrics: applianceMetrics({ link, relays, served, paused, rounds, points, accesses, scratch }),
    clock,
    health: () => ({
      notes: [
        ...clock.notes,
        ...skews.notes,
        ...notesOf(link, relays, scratch),
        ...(store.note === undefined ? [] : [store.note]),
        ...points.notes,
        ...accesses.notes,
      ],
    }),
    log,
    onUpgrade: streamUpgrade({ onStream: (connection) => void relays.accept(connection) }),
  });

  const stop = async (): Promise<void> => {
    stopping.abort();
    clock.stop();
    served.stop();
    await points.stop();
    await nbd.stop();
    await accesses.stop();
    relays.stop();
    await server.stop();
    members.stop();
    link.stop();
    await store.close();
  };
  try {
    // Before clients can connect: restores the exports of an earlier life.
    accesses.start();
    for (const address of await nbd.start()) if ('port' in address) nbdPort = address.port;
    const { url } = await server.start();
    members.start();
    served.start();
    return { url, nbd: { host: appliance.nbd.host, port: nbdPort }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function notesOf(link: Link, relays: Relays, scratch: ScratchFolder): string[] {
  const notes: string[] = [];
  if (link.state.cut)
    notes.push(
      'The link to the replica site is cut by an injected fault, so nothing is replicated through this appliance. Restore it: POST /v1/faults/link with {"cut":false}.',
    );
  if (relays.siteGone)
    notes.push(
      'The replica site was unreachable when a splitter last connected. Check its process and the network to it: splitters keep marks meanwhile, and connect again by themselves.',
    );
  if (relays.refusal !== undefined) notes.push(relays.refusal);
  if (scratch.note !== undefined) notes.push(scratch.note);
  return notes;
}
