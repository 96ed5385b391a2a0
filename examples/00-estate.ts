// 0. An estate to try the others on: splitter, appliances, replica site, worker and Temporal on
// this machine, until Ctrl-C.
import { once } from 'node:events';
import { estateSchema } from 'volume-mover/contracts';
import { launchEstate, openTemporal } from 'volume-mover/simulator';

const anyPort = { host: '127.0.0.1', port: 0 };
const estate = estateSchema.parse({
  replicaSite: { control: anyPort },
  appliances: [
    { id: 'appliance-1', control: anyPort, nbd: anyPort },
    { id: 'appliance-2', control: anyPort, nbd: anyPort },
  ],
  splitters: [
    {
      id: 'host-1',
      control: anyPort,
      nbd: anyPort,
      volumes: [
        { id: 'vm-1-disk-0', sizeMiB: 16, group: 'cg-gold' },
        { id: 'vm-1-disk-1', sizeMiB: 16, group: 'cg-gold' },
        { id: 'vm-2-disk-0', sizeMiB: 16, group: 'cg-gold' },
        { id: 'vm-3-disk-0', sizeMiB: 16, group: 'cg-bronze' },
        { id: 'vm-4-disk-0', sizeMiB: 16, group: 'cg-silver' },
      ],
    },
  ],
  groups: [
    { id: 'cg-gold', appliance: 'appliance-1' },
    { id: 'cg-bronze', appliance: 'appliance-1' },
    { id: 'cg-silver', appliance: 'appliance-2' },
  ],
  worker: { health: anyPort },
});

// Uses the server that TEMPORAL_ADDRESS names, else a dev server, which the first run builds (some
// minutes).
const temporal = await openTemporal({ log: console.log });
try {
  const running = await launchEstate({ estate, dataDirectory: '.estate', temporal, log: console.log });
  try {
    console.log(`ready: ${running.estateFile}`);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), running.failed]);
  } finally {
    await running.stop();
  }
} finally {
  await temporal.stop();
}
