// A splitter's control API in the hands of a test: it answers cuts from what the test says, and
// remembers what it was asked.
import { pino } from 'pino';
import { MoverError } from '../../contracts/errors.js';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { LeftOut } from '../../contracts/point.js';
import { splitterApi } from '../../contracts/splitter-api.js';
import { createControlServer } from '../../simulator/control-server/server.js';
import { LIFE } from './identities.js';

export class FakeSplitterControl {
  /** Where each member stands now. */
  readonly members = new Map<VolumeId, { readonly group: GroupId; readonly n: number; readonly session?: number }>();
  leftOut: LeftOut[] = [];
  atMs: number | undefined;
  holds = true;
  answers = true;
  readonly asked: { readonly round: string; readonly group: GroupId; readonly holdMs: number }[] = [];
  readonly confirmed: string[] = [];
  url = '';
  readonly #server;

  constructor(id: string) {
    const unused = () => {
      throw new MoverError('INTERNAL', 'not in this test');
    };
    this.#server = createControlServer({
      title: 'test',
      description: 'test',
      api: splitterApi,
      handlers: {
        inventory: unused,
        notify: unused,
        fence: unused,
        confirm: unused,
        renew: unused,
        learn: unused,
        openScan: unused,
        readScan: unused,
        closeScan: unused,
        resync: unused,
        decideSource: unused,
        addVolume: unused,
        growVolume: unused,
        retireVolume: unused,
        forgetVolume: unused,
        cut: ({ round, group, holdMs }) => {
          this.asked.push({ round, group, holdMs });
          if (!this.answers) throw new MoverError('SHUTTING_DOWN', 'the test says so');
          const cuts = [...this.members]
            .filter(([, member]) => member.group === group)
            .map(([volume, { n, session = 1 }]) => ({ volume, session, n }));
          return { cuts, leftOut: this.leftOut, life: LIFE, atMs: this.atMs ?? Date.now() };
        },
        confirmCut: ({ round }) => {
          this.confirmed.push(round);
          return { held: this.holds };
        },
      },
      role: 'splitter',
      id,
      listen: { host: '127.0.0.1', port: 0 },
      health: () => ({ notes: [] }),
      log: pino({ level: 'silent' }),
    });
  }

  async start(): Promise<this> {
    this.url = (await this.#server.start()).url;
    return this;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}
