// 4. A schedule: the same batch each working night, on Temporal's own schedules.
import { createMoverClient, findEstateFile, readEstateFile } from 'volume-mover';

const client = createMoverClient({ estate: readEstateFile(findEstateFile()) });
try {
  // Creating a schedule again under its name changes it, so a program may do this at each start.
  const { schedule, created } = await client.schedules.create({
    name: 'nightly',
    at: ['01:00'],
    days: ['mon', 'tue', 'wed', 'thu'],
    timeZone: 'Europe/Paris',
    batch: { select: { from: 'cg-gold' }, to: 'cg-silver', options: { startWithinMs: 1_800_000 } },
    jitterMs: 120_000,
  });
  console.log(created ? 'made:' : 'changed:', schedule.name, schedule.when);

  await client.schedules.pause('nightly', { operator: 'ann', reason: 'change freeze' });
  const { schedules } = await client.schedules.list();
  for (const { name, paused, note } of schedules) console.log(name, paused ? 'paused:' : 'runs', note);
  await client.schedules.resume('nightly', { operator: 'ann', reason: 'the freeze is over' });
} finally {
  await client.close();
}
