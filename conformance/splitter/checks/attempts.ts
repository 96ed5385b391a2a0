// S3: the attempts of a move: tickets, notice, fence, hold, lease, verdict.
import { randomBytes } from 'node:crypto';
import { HOLD_MS_MAX } from '../../../contracts/splitter-api.js';
import { lifeIdSchema } from '../../../contracts/lineage.js';
import { expectAnswer, expectEqual, expectRefusal, expectThat } from '../../expectations.js';
import type { SplitterBench } from '../bench.js';
import type { SplitterCheck } from './check.js';

/** A port where nothing listens: a system gives it to nobody. */
const NOWHERE = 'http://127.0.0.1:1';
const BACKLOG_WRITES = 4;

/** Writes behind a fence, and waits until the inventory shows the backlog. */
async function writeBacklog(bench: SplitterBench): Promise<number[]> {
  const offsets: number[] = [];
  for (let i = 0; i < BACKLOG_WRITES; i += 1) offsets.push(await bench.write());
  await bench.soonShown('writes behind a fence', 'a backlog', ({ backlogBytes }) => backlogBytes > 0);
  return offsets;
}

export const attemptChecks: readonly SplitterCheck[] = [
  {
    clause: 'S3.1',
    run: async (bench) => {
      const before = bench.next.healthCalls;
      const attempt = bench.nextAttempt();
      await bench.notify(attempt);
      const { healthCalls } = bench.next;
      expectThat(healthCalls > before, 'notify', 'the new appliance asked for its health', 'no call');
      const away = { ...bench.noticeOf(bench.nextAttempt()), to: { ...bench.next.endpoint, url: NOWHERE } };
      await expectRefusal('notify of an appliance that is away', ['UNREACHABLE'], bench.calls.notify(away));
    },
  },
  {
    clause: 'S3.2',
    run: async (bench) => {
      const attempt = bench.nextAttempt();
      await bench.notify(attempt);
      const before = bench.site.accepted.length;
      await bench.write();
      const { notice, route } = await bench.quiet();
      expectEqual('notify', { attempt, to: bench.next.endpoint }, notice);
      expectEqual('notify', bench.old.endpoint.group, route.group);
      expectEqual(
        'a write after notify',
        [bench.old.endpoint.appliance],
        bench.site.accepted.slice(before).map((record) => record.appliance),
      );
    },
  },
  {
    clause: 'S3.3',
    run: async (bench) => {
      const older = bench.nextAttempt();
      const newer = bench.nextAttempt();
      await bench.notify(newer);
      await expectRefusal('notify, older ticket', ['STALE_ATTEMPT'], bench.calls.notify(bench.noticeOf(older)));
      const input = { attempt: older, volumes: [bench.site.volume], leaseMs: 1_000 };
      await expectRefusal('fence, older ticket', ['STALE_ATTEMPT'], bench.calls.fence(input));
      const { notice, fence } = await bench.describe();
      expectEqual('calls with an older ticket', newer, notice?.attempt);
      expectThat(fence === undefined, 'fence, older ticket', 'no fence', fence);
    },
  },
  {
    clause: 'S3.4',
    run: async (bench) => {
      const attempt = bench.nextAttempt();
      await bench.notify(attempt);
      await bench.notify(attempt);
      const { notice } = await bench.describe();
      expectEqual('notify, twice', attempt, notice?.attempt);
    },
  },
  {
    clause: 'S3.5',
    run: async (bench) => {
      const attempt = bench.nextAttempt();
      await bench.notify(attempt);
      const same = bench.noticeOf(bench.attemptWith(attempt.ticket));
      await expectRefusal('notify of another attempt, same ticket', ['STALE_ATTEMPT'], bench.calls.notify(same));
    },
  },
  {
    clause: 'S3.6',
    run: async (bench) => {
      const notice = bench.noticeOf(bench.nextAttempt());
      const volumes = [{ ...bench.bound, epoch: bench.bound.epoch + 1 }];
      await expectRefusal('notify, epoch + 1', ['EPOCH_MISMATCH'], bench.calls.notify({ ...notice, volumes }));
      const from = bench.next.endpoint;
      await expectRefusal('notify, other group', ['EPOCH_MISMATCH'], bench.calls.notify({ ...notice, from }));
    },
  },
  {
    clause: 'S3.7',
    run: async (bench) => {
      const input = { attempt: bench.nextAttempt(), volumes: [bench.site.volume], leaseMs: 1_000 };
      await expectRefusal('fence without notify', ['NOT_NOTIFIED'], bench.calls.fence(input));
    },
  },
  {
    clause: 'S3.8',
    run: async (bench) => {
      await bench.write();
      const { last } = await bench.quiet();
      const { attempt, cut } = await bench.fenced();
      expectEqual('fence of a quiet volume', { volume: bench.site.volume, ...last }, cut);
      bench.site.barrier = cut;
      await writeBacklog(bench);
      // A new attachment sends all that may be sent.
      const attaches = bench.old.attaches.length;
      bench.old.dropStreams();
      await bench.soonShown(
        'the end of the connection',
        'the volume attached again',
        ({ connected }) => connected && bench.old.attaches.length > attaches,
      );
      await bench.decide(attempt, 'ABORTED');
    },
  },
  {
    clause: 'S3.9',
    run: async (bench) => {
      const { attempt, answer } = await bench.fenced();
      await writeBacklog(bench);
      const again = await bench.fence(attempt);
      expectEqual(
        'fence again, after more writes',
        { cuts: answer.cuts, atMs: answer.atMs },
        { cuts: again.cuts, atMs: again.atMs },
      );
    },
  },
  {
    clause: 'S3.10',
    run: async (bench) => {
      const { attempt, cut } = await bench.fenced();
      const another = bench.noticeOf(bench.nextAttempt());
      await expectRefusal('notify of a newer attempt', ['PENDING_VERDICT'], bench.calls.notify(another));
      const { fence } = await bench.describe();
      expectEqual(
        'notify of a newer attempt',
        { attempt, cut: { session: cut.session, n: cut.n } },
        { attempt: fence?.attempt, cut: fence?.cut },
      );
    },
  },
  {
    clause: 'S3.11',
    run: async (bench) => {
      await bench.fenced();
      await writeBacklog(bench);
    },
  },
  {
    clause: 'S3.12',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      const { leaseMs } = await expectAnswer('renew', bench.calls.renew({ attempt, leaseMs: 1_000 }));
      expectThat(leaseMs >= 1_000, 'renew by 1000 ms', 'a lease that is not shortened', leaseMs);
      const stranger = { attempt: bench.nextAttempt(), leaseMs: 1_000 };
      await expectRefusal('renew of an attempt without a fence', ['NOT_FENCED'], bench.calls.renew(stranger));
    },
  },
  {
    clause: 'S3.13',
    run: async (bench) => {
      const { attempt, cut } = await bench.fenced({ leaseMs: 1 });
      bench.site.barrier = cut;
      const offsets = await writeBacklog(bench);
      const from = bench.site.accepted.length;
      const asked = (): boolean =>
        [bench.old, bench.next].some((appliance) => appliance.asked.some(({ move }) => move === attempt.move));
      await bench.soon({
        sent: 'nothing, after the end of the lease',
        expected: 'the question for the verdict (resolve)',
        holds: asked,
        came: () => 'none',
      });
      await expectRefusal(
        'renew after the end of the lease',
        ['FENCE_LAPSED'],
        bench.calls.renew({ attempt, leaseMs: 1_000 }),
      );
      bench.site.barrier = undefined;
      bench.old.verdict = 'ABORTED';
      bench.next.verdict = 'ABORTED';
      await bench.soonShown('ABORTED, as the answer to resolve', 'no fence', ({ fence }) => fence === undefined);
      await bench.expectBacklog('ABORTED, as the answer to resolve', from, offsets, bench.old.endpoint.appliance);
    },
  },
  {
    clause: 'S3.14',
    run: async (bench) => {
      await bench.whileHeld(async () => {
        const { attempt, answer } = await bench.fenced({ holdMs: HOLD_MS_MAX });
        let isAcknowledged = false;
        const write = bench.write().then(() => (isAcknowledged = true));
        await bench.soonShown('a write in a hold', 'a backlog', ({ backlogBytes }) => backlogBytes > 0);
        const wasAcknowledged = isAcknowledged;
        const { held } = await expectAnswer('confirm', bench.calls.confirm({ attempt, life: answer.life }));
        await write;
        expectThat(!held || !wasAcknowledged, 'a write in a hold', 'no acknowledgement before confirm', 'one');
        const again = await expectAnswer('confirm again', bench.calls.confirm({ attempt, life: answer.life }));
        expectEqual('confirm again', held, again.held);
        await bench.decide(attempt, 'ABORTED');
        return held;
      }, 'fence with a hold, a write, confirm');
    },
  },
  {
    clause: 'S3.15',
    run: async (bench) => {
      const { attempt, answer } = await bench.fenced();
      const { held } = await expectAnswer('confirm', bench.calls.confirm({ attempt, life: answer.life }));
      expectEqual('confirm after a fence without a hold', false, held);
      await bench.decide(attempt, 'ABORTED');
      const { attempt: second } = await bench.fenced({ holdMs: HOLD_MS_MAX });
      const life = lifeIdSchema.parse(randomBytes(16).toString('hex'));
      const other = await expectAnswer('confirm', bench.calls.confirm({ attempt: second, life }));
      expectEqual('confirm for another life', false, other.held);
    },
  },
  {
    clause: 'S3.16',
    run: async (bench) => {
      await bench.fenced({ holdMs: HOLD_MS_MAX });
      await bench.write();
    },
  },
  {
    clause: 'S3.17',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      const { epoch } = bench.bound;
      const offsets = await writeBacklog(bench);
      const from = bench.site.accepted.length;
      await bench.decide(attempt, 'ABORTED');
      const { route, fence, notice } = await bench.describe();
      expectEqual(
        'learn ABORTED',
        { ...bench.old.endpoint, epoch, fence: undefined, notice: undefined },
        { ...route, fence, notice },
      );
      await bench.expectBacklog('learn ABORTED', from, offsets, bench.old.endpoint.appliance);
    },
  },
  {
    clause: 'S3.18',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      const { epoch } = bench.bound;
      const to = bench.next.endpoint;
      const offsets = await writeBacklog(bench);
      const from = bench.site.accepted.length;
      await bench.decide(attempt, 'COMMITTED');
      const { route, fence, notice } = await bench.describe();
      expectEqual(
        'learn COMMITTED',
        { ...to, epoch: epoch + 1, fence: undefined, notice: undefined },
        { ...route, fence, notice },
      );
      await bench.expectBacklog('learn COMMITTED', from, offsets, to.appliance);
    },
  },
  {
    clause: 'S3.19',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      await writeBacklog(bench);
      const { learned } = await bench.decide(attempt, 'ABORTED');
      await bench.quiet();
      const again = await expectAnswer('learn again', bench.learn(attempt, 'ABORTED'));
      expectEqual('learn again', learned, again.learned);
      expectThat(learned.length === 1, 'learn', 'what was learned of the volume', learned);
    },
  },
  {
    clause: 'S3.20',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      await bench.decide(attempt, 'ABORTED');
      await expectRefusal('learn COMMITTED after ABORTED', ['ATTEMPT_MISMATCH'], bench.learn(attempt, 'COMMITTED'));
      const { route } = await bench.describe();
      expectEqual('learn COMMITTED after ABORTED', bench.old.endpoint.group, route.group);
    },
  },
  {
    clause: 'S3.21',
    run: async (bench) => {
      const attempt = bench.nextAttempt();
      await bench.notify(attempt);
      await expectRefusal('learn COMMITTED without a fence', ['NOT_FENCED'], bench.learn(attempt, 'COMMITTED'));
      const { route } = await bench.describe();
      expectEqual('learn COMMITTED without a fence', bench.old.endpoint.group, route.group);
    },
  },
  {
    clause: 'S3.22',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      await bench.decide(attempt, 'ABORTED');
      const over = ['ATTEMPT_ABORTED', 'STALE_ATTEMPT'] as const;
      const input = { attempt, volumes: [bench.site.volume], leaseMs: 1_000 };
      await expectRefusal('late notify', over, bench.calls.notify(bench.noticeOf(attempt)));
      await expectRefusal('late fence', over, bench.calls.fence(input));
      const gone = [...over, 'NOT_FENCED'] as const;
      await expectRefusal('late renew', gone, bench.calls.renew({ attempt, leaseMs: 1_000 }));
      const { fence } = await bench.describe();
      expectThat(fence === undefined, 'late calls', 'no fence', fence);
    },
  },
  {
    clause: 'S3.23',
    run: async (bench) => {
      const attempt = bench.nextAttempt();
      await expectAnswer('learn ABORTED of an unknown attempt', bench.learn(attempt, 'ABORTED'));
      await expectRefusal(
        'its late notify',
        ['ATTEMPT_ABORTED', 'STALE_ATTEMPT'],
        bench.calls.notify(bench.noticeOf(attempt)),
      );
    },
  },
];
