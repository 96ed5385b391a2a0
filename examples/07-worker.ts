// 7. A worker of your own: your ports, so that the steps reach your splitter your way, and your
// log.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';
import { createHttpPorts, type Ports, type SplitterPort, startWorker, type WorkerLog } from 'volume-mover/worker';

/**
 * A splitter whose fences are announced. Any object with the same calls will do: it needs no HTTP
 * behind it.
 */
function announcing(splitter: SplitterPort): SplitterPort {
  const { calls } = splitter;
  return {
    ...splitter,
    calls: {
      ...calls,
      fence: async (input, options) => {
        console.log(`fence at ${splitter.id}: ${input.volumes.join()}`);
        return await calls.fence(input, options);
      },
    },
  };
}

const estate = readEstateFile(findEstateFile());
const overHttp = createHttpPorts(estate);
const ports: Ports = {
  ...overHttp,
  splitters: new Map([...overHttp.splitters].map(([id, splitter]) => [id, announcing(splitter)])),
};

const quiet = (): void => undefined;
const say = (fields: object, message: string): void => console.log('log:', message, JSON.stringify(fields));
const log: WorkerLog = { trace: quiet, debug: quiet, info: quiet, warn: say, error: say };

const worker = await startWorker({ estate, ports, log, identity: 'worker-of-my-own' });
const client = createMoverClient({ estate });
try {
  const { moveId } = await client.moves.start({ volume: 'vm-3-disk-0', to: 'cg-gold' });
  for await (const { progress } of client.moves.follow(moveId)) console.log(progress?.stage);
  console.log(`${(await client.moves.get(moveId)).state} by a worker of my own`);
  // For Prometheus, on a page of your own.
  console.log((await worker.metrics()).match(/^volume_mover_moves_total.*$/gm)?.join('\n'));
} finally {
  await client.close();
  await worker.stop();
}
