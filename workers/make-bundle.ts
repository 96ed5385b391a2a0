// Makes the workflow bundle beside the compiled code, for an image or a tarball whose user can't
// write there.
import { DefaultLogger } from '@temporalio/worker';
import { workflowBundle } from './workflow-bundle.js';

await workflowBundle(new DefaultLogger('WARN'));
