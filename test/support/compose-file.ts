// docker-compose.yml as tests read it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { type Estate, estateSchema } from '../../contracts/estate.js';

export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
export const OUR_IMAGE = 'volume-mover';

/** What these tests read of a service; the specification's schema checks the rest. */
const serviceSchema = z.looseObject({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  secrets: z.array(z.union([z.string(), z.object({ source: z.string(), target: z.string() })])).default([]),
  depends_on: z.record(z.string(), z.looseObject({ condition: z.string() })).default({}),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
});
const composeSchema = z.looseObject({
  services: z.record(z.string(), serviceSchema),
  configs: z.record(z.string(), z.object({ content: z.string() })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});

export const document: unknown = parse(await readFile(join(PROJECT, 'docker-compose.yml'), 'utf8'), { merge: true });
export const compose = composeSchema.parse(document);
export const services = Object.entries(compose.services);
/** The services of our own processes. */
export const ours = services.filter(([, service]) => service.image === OUR_IMAGE);

/** The estate file in it. */
export function composeEstate(): Estate {
  return estateSchema.parse(JSON.parse(compose.configs['estate']?.content ?? ''));
}
