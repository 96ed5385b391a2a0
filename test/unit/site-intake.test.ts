// What a splitter is told when it attaches while records of its former life are still on their way:
// to the disk, or to the replica.
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { VERIFY_REGION_BYTES } from '../../contracts/verify.js';
import type { Claim } from '../../simulator/replica-site/core/attach.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { EMPTY_SITE, SiteState } from '../../simulator/replica-site/core/state.js';
import { Intakes } from '../../simulator/replica-site/intake/intakes.js';
import type { Attached, VolumeIntake } from '../../simulator/replica-site/intake/volume-intake.js';
import type { VolumeJournal } from '../../simulator/replica-site/journal/terms/types.js';
import { Journals } from '../../simulator/replica-site/journals.js';
import { Site } from '../../simulator/replica-site/site.js';
import type { WriteFrame } from '../../simulator/stream/frame.js';
import { MemoryDisk } from '../property/journal-memory-disk.js';
import { claimOf } from '../support/identities.js';
import { standingClock } from '../support/settable-clock.js';
import { ESTATE, SIZE_BYTES, V1 } from './site-core-fixture.js';

const UNAPPLIED_BYTES_MAX = 1024 * 1024;

/** A replica site's intake of v1, whose journal is on a disk in memory. */
class IntakeUnderTest {
  readonly site: Site;
  readonly intake: VolumeIntake;
  readonly journal: VolumeJournal;
  /** Codes of the attachments that were ended. */
  readonly refused: string[] = [];

  private constructor(site: Site, intake: VolumeIntake, journal: VolumeJournal) {
    this.site = site;
    this.intake = intake;
    this.journal = journal;
  }

  static async start(): Promise<IntakeUnderTest> {
    const nothing = (): void => undefined;
    const journals: Journals = new Journals({
      directory: '/volumes',
      sync: false,
      reserve: { give: () => false },
      knownPosition: () => 0,
      sizeOf: () => SIZE_BYTES,
      events: {
        onOpened: nothing,
        onDurable: (volume, durable) => intakes.durable(volume, durable),
        onApplied: (volume) => intakes.applied(volume),
        onStalled: nothing,
        onReplicaDamaged: nothing,
        onRebuild: nothing,
        onFailed: nothing,
      },
      log: pino({ level: 'silent' }),
      files: new MemoryDisk(),
    });
    const store = { *rows() {}, commit: nothing, close: async () => undefined };
    const site = new Site(new SiteState(EMPTY_SITE, journals), store, standingClock());
    site.change((state) => followEstate(state, ESTATE, 0));
    const intakes: Intakes = new Intakes({
      site,
      journals,
      unappliedBytesMax: UNAPPLIED_BYTES_MAX,
      freeBytes: () => undefined,
      onInitialized: nothing,
    });
    return new IntakeUnderTest(site, await intakes.intake(V1), await journals.journal(V1));
  }

  /** A claim of a life that knows the history up to a position. */
  claim(session: number, position = 0, claim: Partial<Claim> = {}): ReturnType<VolumeIntake['claim']> {
    const confirmed = { lineage: this.site.state.lineages.lineage(V1), position };
    const { epoch, group } = this.site.state.volume(V1);
    return this.intake.claim(claimOf({ session, epoch, sizeBytes: SIZE_BYTES, confirmed, ...claim }, group));
  }

  /** The stream of a session that has attached. */
  async attached(session: number): Promise<Attached> {
    expect(await this.claim(session)).toMatchObject({ kind: 'attached' });
    const stream: Attached = {
      session,
      epoch: 1,
      onDurable: () => undefined,
      onRefused: (code) => this.refused.push(code),
      onCredit: () => undefined,
    };
    this.intake.add(stream);
    return stream;
  }

  take(stream: Attached, n: number, region: number): void {
    const { session, epoch } = stream;
    const data = Buffer.alloc(512, n);
    const offset = region * VERIFY_REGION_BYTES;
    const frame: WriteFrame = { type: 'write', handle: 1, session, epoch, n, timeMs: n, offset, data };
    this.intake.take(stream, frame);
  }
}

test('a splitter is told of regions whose records are appended and not durable yet', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  under.take(former, 1, 3);
  expect(under.journal.durable.position).toBe(0);
  expect(await under.claim(2)).toMatchObject({ kind: 'attached', session: 2, n: 0, base: 1, touched: [[3, 1]] });
});

test('no record of the former life is taken once the new one has begun to attach', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  under.take(former, 1, 3);
  const claimed = under.claim(2);
  under.take(former, 2, 5);
  expect(under.refused).toEqual(['STALE_SESSION']);
  expect(await claimed).toMatchObject({ kind: 'attached', base: 1, touched: [[3, 1]] });
});

test('a splitter waits for records that are durable and not applied yet, and is told of their regions', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  await under.journal.pauseDistribution();
  under.take(former, 1, 3);
  under.take(former, 2, 4);
  const claimed = under.claim(2);
  under.journal.resumeDistribution();
  expect(await claimed).toMatchObject({ kind: 'attached', base: 2, touched: [[3, 2]] });
});

test('a claim that waits is refused when a newer life has attached meanwhile', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  under.take(former, 1, 3);
  await under.journal.whenApplied(1);
  await under.journal.pauseDistribution();
  under.take(former, 2, 4);
  const overtaken = under.claim(2);
  const newer = under.claim(3, 2);
  expect(await newer).toMatchObject({ kind: 'attached', session: 3, base: 2, touched: [] });
  under.journal.resumeDistribution();
  expect(await overtaken).toMatchObject({ kind: 'refuse', code: 'STALE_SESSION', advice: { sessionMin: 4 } });
  expect(under.site.state.volume(V1)).toMatchObject({ session: 3 });
});

test('a claim that waits is refused when its volume was moved meanwhile', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  await under.journal.pauseDistribution();
  under.take(former, 1, 3);
  const claimed = under.claim(2);
  under.site.change((state) => state.volumes.put(V1, { ...state.volume(V1), epoch: 2 }));
  under.journal.resumeDistribution();
  expect(await claimed).toMatchObject({ kind: 'refuse', code: 'EPOCH_MISMATCH' });
});

test('a claim that waits is heard anew when the history was forked meanwhile: the volume must be compared', async () => {
  const under = await IntakeUnderTest.start();
  const former = await under.attached(1);
  under.take(former, 1, 3);
  await under.journal.whenApplied(1);
  await under.journal.pauseDistribution();
  under.take(former, 2, 4);
  const claimed = under.claim(2, 1);
  await under.intake.startOver('the replica is in doubt');
  under.journal.resumeDistribution();
  expect(await claimed).toMatchObject({ kind: 'refuse', code: 'LINEAGE_FORKED', message: 'the replica is in doubt' });
});
