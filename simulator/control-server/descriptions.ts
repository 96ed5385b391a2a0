// The descriptions at the head of the three OpenAPI documents.
import { STREAM_PATH, STREAM_PROTOCOL, STREAM_ROLES } from '../../contracts/replica-site-api.js';
import type { Description } from './openapi.js';

const CONVENTIONS = `GET operations take their input from the query string, POST operations one JSON object. Unknown fields are refused by name.
Every POST may be repeated, delayed or reordered: the same attempt gets the same answer, an older one is refused.
Failures are problem+json (RFC 9457) with a \`code\` of the registry, whether the same call may succeed later (\`retryable\`), and what to do about it (\`action\`).
/livez, /readyz, /healthz and /openapi.json need no token and no certificate; every other operation names the roles of which its caller needs one. Times are milliseconds since 1970-01-01 UTC.`;

const STREAM = `Writes come in as a framed stream by an HTTP upgrade of GET ${STREAM_PATH} to \`${STREAM_PROTOCOL}\` (role ${STREAM_ROLES.join(' or ')}): see docs/api/stream.md.`;

export const SPLITTER_DESCRIPTION: Description = {
  role: 'splitter',
  title: 'Splitter control API',
  description: `What a hypervisor host's splitter must answer, so that volumes on it can be moved between consistency groups while guests write.\n\n${CONVENTIONS}`,
};

export const APPLIANCE_DESCRIPTION: Description = {
  role: 'appliance',
  title: 'Data protection appliance control API',
  description: `What an appliance must answer to the orchestrator and the splitters.\n\n${STREAM}\n\n${CONVENTIONS}`,
};

export const REPLICA_SITE_DESCRIPTION: Description = {
  role: 'replica-site',
  title: 'Replica site control API',
  description: `What the replica site must answer to its appliances: it holds owners, epochs, attempts and points.\n\n${STREAM}\n\n${CONVENTIONS}`,
};
