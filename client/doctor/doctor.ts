// Finds what moves left behind, and ends what is safe to end: see DoctorClient for the promises.
import { findInventory } from '../../control/site-lookup.js';
import type { EstateClient } from '../declaration/estate-client.js';
import type { ListedAccess } from '../images/accesses.js';
import type { ImageClient } from '../images/image-client.js';
import type { ScheduleClient } from '../schedules/schedules.js';
import { time } from '../text/format.js';
import { DeadAttempts, type DeadAttemptsOptions, type Looked } from './dead-attempts.js';
import type { DoctorClient, Examination, Finding, FixRequest, Mended, SettledMove } from './doctor-client.js';
import { residueOf } from './residue.js';
import { scheduleFindings } from './schedules.js';

export interface DoctorOptions extends DeadAttemptsOptions {
  readonly estate: Pick<EstateClient, 'plan'>;
  readonly schedules: Pick<ScheduleClient, 'list'>;
  readonly images: Pick<ImageClient, 'list'>;
}

export class Doctor implements DoctorClient {
  readonly #options: DoctorOptions;
  readonly #attempts: DeadAttempts;

  constructor(options: DoctorOptions) {
    this.#options = options;
    this.#attempts = new DeadAttempts(options);
  }

  async examine(): Promise<Examination> {
    return this.#examination(await this.#attempts.look());
  }

  async fix(request: FixRequest = {}): Promise<Mended> {
    const settled: SettledMove[] = [];
    for (const dead of (await this.#attempts.look()).dead) {
      const one = await this.#attempts.settle(dead, request);
      if (one !== undefined) settled.push(one);
    }
    return { settled, ...(await this.examine()) };
  }

  async #examination({ dead, alive, unreadable }: Looked): Promise<Examination> {
    const findings = [
      ...dead.flatMap(({ held, owner }) => residueOf(held, owner)),
      ...unreadable.map(unreadableFinding),
      ...(await this.#ofEstate()),
      ...(await this.#ofSchedules()),
      ...(await this.#ofImages()),
    ];
    const running = [...new Set(alive.map(({ attempt }) => attempt.move))];
    return { ok: !findings.some(({ isResidue }) => isResidue), findings, running };
  }

  async #ofEstate(): Promise<Finding[]> {
    const { differences } = await this.#options.estate.plan();
    return differences.map(({ subject, message, action, unprotected }) => ({
      kind: 'estate',
      subject,
      what: message,
      blocks: unprotected ? 'Protection: it is in no new recovery point.' : 'Nothing.',
      action,
      isFixable: false,
      isResidue: true,
    }));
  }

  async #ofSchedules(): Promise<Finding[]> {
    const { schedules } = await this.#options.schedules.list();
    if (schedules.length === 0) return [];
    const volumes = new Set<string>((await findInventory(this.#options.ports)).map(({ volume }) => volume));
    return schedules.flatMap((schedule) => scheduleFindings(schedule, volumes));
  }

  async #ofImages(): Promise<Finding[]> {
    const { accesses } = await this.#options.images.list();
    return accesses.filter(isUnused).map(accessFinding);
  }
}

function unreadableFinding(name: string): Finding {
  return {
    kind: 'open attempt',
    subject: name,
    what: `open attempt ${name}, whose record the replica site cannot read`,
    blocks: 'Other moves of its volumes.',
    action: 'Mend what the health of the replica site names.',
    isFixable: false,
    isResidue: true,
  };
}

/** Whether an open access has no client now. */
function isUnused({ ended, exports }: ListedAccess): boolean {
  return ended === undefined && exports.every(({ connections }) => connections === 0);
}

/** A person may be between two uses, so it is no residue. */
function accessFinding({ id, point, client, operator, openedAtMs, limit }: ListedAccess): Finding {
  const end = limit === undefined ? '' : `It closes by itself at ${time(limit.atMs)}. `;
  return {
    kind: 'image access',
    subject: id,
    what: `image access ${id} to ${point}, which nobody is connected to`,
    heldBy: operator ?? client,
    sinceMs: openedAtMs,
    blocks: `Retention: history up to ${point} is kept.`,
    action: `${end}To close it now: volume-mover close ${id}`,
    isFixable: false,
    isResidue: false,
  };
}
