// An estate of real processes in a namespace of its own, with the command line on it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { BatchStage } from '../../contracts/batch.js';
import { type Ran, runCommand } from './cli.js';
import { createNamespace } from './namespace.js';
import { estateOf, TestEstate } from './test-estate.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, untilTrue } from './until.js';

/** Three groups on two appliances; the last has room for one volume more. */
const GROUPS = {
  'cg-gold': { appliance: 'appliance-1', volumes: ['a', 'b', 'c', 'd'] },
  'cg-silver': { appliance: 'appliance-2', volumes: ['e'] },
  'cg-small': { appliance: 'appliance-2', volumes: ['f'], volumesMax: 2 },
};
const SIZE_MIB = 4;

export class CommandEstate {
  readonly estate: TestEstate;
  readonly namespace: string;
  /** The folder for files of the test. */
  readonly folder: string;

  private constructor(estate: TestEstate, namespace: string, folder: string) {
    this.estate = estate;
    this.namespace = namespace;
    this.folder = folder;
  }

  static async start(): Promise<CommandEstate> {
    const folder = await mkdtemp(join(tmpdir(), 'vm-commands-'));
    const address = inject('temporalAddress');
    const namespace = await createNamespace(address);
    const estate = await TestEstate.start({
      estate: estateOf({ groups: GROUPS, sizeMiB: SIZE_MIB }),
      temporal: { address, namespace, uiUrl: inject('temporalUiUrl') },
    });
    return new CommandEstate(estate, namespace, folder);
  }

  async cli(...words: string[]): Promise<Ran> {
    const environment = {
      VOLUME_MOVER_ESTATE: this.estate.running.estateFile,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      TEMPORAL_NAMESPACE: this.namespace,
      USER: 'ann',
    };
    return runCommand(environment, words);
  }

  /** The groups that the volumes belong to now. */
  async groupsOf(...volumes: readonly string[]): Promise<(string | undefined)[]> {
    const listed = await this.estate.client.volumes.list();
    return volumes.map((volume) => listed.find((candidate) => candidate.volume === volume)?.group);
  }

  /** @param batch its workflow id or its whole id */
  async untilStage(batch: string, stage: BatchStage): Promise<void> {
    const isThere = async (): Promise<boolean> =>
      (await this.estate.client.batches.get(batch)).progress?.stage === stage;
    await untilTrue(`batch ${batch} ${stage}`, PATIENCE_MS, isThere, COSTLY_POLL_INTERVAL_MS);
  }

  async stop(): Promise<void> {
    await this.estate.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
