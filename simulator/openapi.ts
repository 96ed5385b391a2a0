// Writes the OpenAPI documents of the three control APIs: node dist/simulator/openapi.js [folder],
// by default docs/api.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applianceApi } from '../contracts/appliance-api.js';
import { replicaSiteApi } from '../contracts/replica-site-api.js';
import { splitterApi } from '../contracts/splitter-api.js';
import {
  APPLIANCE_DESCRIPTION,
  REPLICA_SITE_DESCRIPTION,
  SPLITTER_DESCRIPTION,
} from './control-server/descriptions.js';
import { imageReadRoute } from './control-server/image-read.js';
import { openApiDocument } from './control-server/openapi.js';

const documents = {
  'splitter.json': openApiDocument(splitterApi, SPLITTER_DESCRIPTION),
  'appliance.json': openApiDocument(applianceApi, APPLIANCE_DESCRIPTION),
  'replica-site.json': openApiDocument(replicaSiteApi, REPLICA_SITE_DESCRIPTION, [
    imageReadRoute(() => Promise.resolve(Buffer.alloc(0))),
  ]),
};

const folder = process.argv[2] ?? join('docs', 'api');
await mkdir(folder, { recursive: true });
for (const [name, document] of Object.entries(documents)) {
  await writeFile(join(folder, name), `${JSON.stringify(await document, null, 2)}\n`);
}
