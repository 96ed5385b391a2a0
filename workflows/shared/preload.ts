// Loaded once per worker, before any workflow: the contracts. Their schemas are the same for every
// workflow, and making them anew was two fifths of the CPU of a move's workflow.
import * as attempt from '../../contracts/attempt.js';
import * as batch from '../../contracts/batch.js';
import * as batchRun from '../../contracts/batch-run.js';
import * as clock from '../../contracts/clock.js';
import { completeSchemas } from '../../contracts/complete-schemas.js';
import * as errorRegistry from '../../contracts/error-registry.js';
import * as errors from '../../contracts/errors.js';
import * as ids from '../../contracts/ids.js';
import * as isoTime from '../../contracts/iso-time.js';
import * as moveEnd from '../../contracts/move-end.js';
import * as moveId from '../../contracts/move-id.js';
import * as move from '../../contracts/move.js';
import * as numbers from '../../contracts/numbers.js';
import * as point from '../../contracts/point.js';
import * as request from '../../contracts/request.js';
import * as retention from '../../contracts/retention.js';
import * as route from '../../contracts/route.js';
import * as searchAttributes from '../../contracts/search-attributes.js';
import * as searchPairs from '../../contracts/search-pairs.js';
import * as summaryLine from '../../contracts/summary-line.js';
import * as verify from '../../contracts/verify.js';
import * as workflowTypes from '../../contracts/workflow-types.js';

// A module that is missing here but imported by one of these is shared, too, and its schemas fail
// at their first use. `unit/workflow-preload.test.ts` compares this list with the imports.
for (const contract of [
  attempt,
  batch,
  batchRun,
  clock,
  errorRegistry,
  errors,
  ids,
  isoTime,
  moveEnd,
  moveId,
  move,
  numbers,
  point,
  request,
  retention,
  route,
  searchAttributes,
  searchPairs,
  summaryLine,
  verify,
  workflowTypes,
])
  completeSchemas(contract);
