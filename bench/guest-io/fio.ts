// fio as the guest: writes over NBD and reports the results.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { runProgram } from '../child.js';

const NS_PER_MS = 1_000_000;

export interface WriteLoad {
  readonly uri: string;
  readonly pattern: 'write' | 'randwrite';
  readonly blockBytes: number;
  readonly depth: number;
  readonly sizeBytes: number;
  /** How long to write, seconds; when absent, one pass over the whole size. */
  readonly seconds?: number;
  /** Seed that determines the place of every write. */
  readonly seed: number;
}

export interface Written {
  readonly writes: number;
  readonly bytes: number;
  readonly ms: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** CPU time used by fio itself, ms. */
  readonly cpuMs: number;
}

const reportSchema = z.object({
  jobs: z.tuple([
    z.object({
      error: z.number(),
      usr_cpu: z.number(),
      sys_cpu: z.number(),
      write: z.object({
        total_ios: z.number(),
        io_bytes: z.number(),
        runtime: z.number().positive(),
        clat_ns: z.object({ max: z.number(), percentile: z.record(z.string(), z.number()) }),
      }),
    }),
  ]),
});

/** Writes a load with fio. @throws Error when fio or a write fails */
export async function write(load: WriteLoad, folder: string): Promise<Written> {
  const output = join(folder, 'fio.json');
  const { uri, pattern, blockBytes, depth, sizeBytes, seconds, seed } = load;
  await runProgram('fio', [
    '--name=guest',
    '--ioengine=nbd',
    `--uri=${uri}`,
    `--rw=${pattern}`,
    `--bs=${blockBytes}`,
    `--iodepth=${depth}`,
    `--size=${sizeBytes}`,
    `--randseed=${seed}`,
    // By default fio writes each block once before it writes any again, which no guest does.
    '--norandommap',
    '--random_generator=tausworthe64',
    // Cheap, different content for each write: no deduplication by anything that looks at the data.
    '--scramble_buffers=1',
    ...(seconds === undefined ? [] : ['--time_based', `--runtime=${seconds}`]),
    '--output-format=json',
    `--output=${output}`,
  ]);
  const text = await readFile(output, 'utf8');
  await rm(output, { force: true });
  return writtenOf(text);
}

/** Parses fio's output: JSON after some lines of text. */
function writtenOf(text: string): Written {
  const [job] = reportSchema.parse(JSON.parse(text.slice(text.indexOf('{')))).jobs;
  if (job.error !== 0) throw new Error(`fio had error ${job.error}.`);
  const { total_ios: writes, io_bytes: bytes, runtime: ms, clat_ns: latency } = job.write;
  return {
    writes,
    bytes,
    ms,
    medianMs: (latency.percentile['50.000000'] ?? 0) / NS_PER_MS,
    p99Ms: (latency.percentile['99.000000'] ?? 0) / NS_PER_MS,
    worstMs: latency.max / NS_PER_MS,
    cpuMs: ((job.usr_cpu + job.sys_cpu) / 100) * ms,
  };
}
