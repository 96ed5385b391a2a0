// The peer that does the same without a journal: QEMU's storage daemon, which writes to a second
// image before it acknowledges (blockdev-mirror with copy-mode=write-blocking; its job is READY, so
// only guest writes are copied).
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type Program, runProgram, startProgram } from '../child.js';
import { createImage } from './image.js';
import { Qmp } from './qmp.js';
import { connectWhenListening, nbdUri } from './socket.js';
import { NOTHING_BEHIND, type Subject } from './subject.js';

const EXPORT = 'disk';
const JOB = 'mirror';
/** Longest wait for the job to become READY on an empty image, or to end, ms. */
const JOB_MS_MAX = 30_000;
const POLL_MS = 20;

const jobsSchema = z.array(z.object({ id: z.string(), status: z.string(), error: z.string().optional() }));

export const qemuMirror: Subject = {
  name: 'QEMU mirror',
  what: 'qemu-storage-daemon, raw files, blockdev-mirror copy-mode=write-blocking (job READY); two copies, no journal',
  async start({ folder, sizeBytes }) {
    const source = join(folder, 'source.raw');
    const target = join(folder, 'target.raw');
    await createImage(source, sizeBytes);
    await createImage(target, sizeBytes);
    const nbd = join(folder, 'nbd.sock');
    const daemon = await startDaemon({ source, target, nbd, monitor: join(folder, 'qmp.sock') });
    const qmp = await startMirror(daemon, join(folder, 'qmp.sock'));
    return {
      uri: nbdUri(nbd, EXPORT),
      processes: new Map([['qemu-storage-daemon', daemon.processId]]),
      secondCopy: async () => {
        const status = await statusOf(qmp);
        if (status !== 'ready') throw new Error(`The mirror job is ${status ?? 'gone'} and not ready.`);
        return NOTHING_BEHIND;
      },
      prove: async () => {
        // Cancelling a ready job leaves the target as a complete copy.
        await qmp.run('block-job-cancel', { device: JOB });
        await waitForJob(qmp, undefined);
        await runProgram('cmp', [source, target]);
      },
      stop: async () => {
        qmp.close();
        await daemon.stop();
      },
    };
  },
};

interface Daemon {
  readonly source: string;
  readonly target: string;
  readonly nbd: string;
  readonly monitor: string;
}

async function startDaemon({ source, target, nbd, monitor }: Daemon): Promise<Program> {
  return await startProgram('qemu-storage-daemon', [
    `--blockdev=driver=file,node-name=source,filename=${source}`,
    `--blockdev=driver=file,node-name=target,filename=${target}`,
    `--nbd-server=addr.type=unix,addr.path=${nbd}`,
    // Exported before the job starts, so that the job's filter goes between export and image.
    `--export=type=nbd,id=${EXPORT},node-name=source,name=${EXPORT},writable=on`,
    `--chardev=socket,id=monitor,path=${monitor},server=on,wait=off`,
    '--monitor=chardev=monitor',
  ]);
}

async function startMirror(daemon: Program, monitor: string): Promise<Qmp> {
  const qmp = await Qmp.negotiate(await connectWhenListening(monitor, daemon));
  await qmp.run('blockdev-mirror', {
    'job-id': JOB,
    device: 'source',
    target: 'target',
    sync: 'full',
    'copy-mode': 'write-blocking',
  });
  await waitForJob(qmp, 'ready');
  return qmp;
}

async function statusOf(qmp: Qmp): Promise<string | undefined> {
  const jobs = jobsSchema.parse(await qmp.run('query-jobs'));
  const job = jobs.find(({ id }) => id === JOB);
  if (job?.error !== undefined) throw new Error(`The mirror job failed: ${job.error}`);
  return job?.status;
}

/** Waits for a status of the job; undefined: until the job is gone. */
async function waitForJob(qmp: Qmp, wanted: string | undefined): Promise<void> {
  const deadlineMs = performance.now() + JOB_MS_MAX;
  for (let status = await statusOf(qmp); status !== wanted; status = await statusOf(qmp)) {
    if (performance.now() > deadlineMs)
      throw new Error(`The mirror job is still ${status ?? 'gone'} after ${JOB_MS_MAX} ms.`);
    await delay(POLL_MS);
  }
}
