// Failures of steps for workers that hide names: message and stack become a payload, which a codec
// encrypts. The SDK loads this module by its path.
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
