// How errors become failures in a history. Their messages name volumes, and codecs see no message:
// where names are hidden, message and stack become a payload.
import { DefaultFailureConverter, type FailureConverter } from '@temporalio/common';
import { hidesNames } from './hidden-names.js';

const open = new DefaultFailureConverter();
const hiding = new DefaultFailureConverter({ encodeCommonAttributes: true });

/** The bundler looks for this name. */
export const failureConverter: FailureConverter = {
  errorToFailure: (...args) => (hidesNames() ? hiding : open).errorToFailure(...args),
  failureToError: (...args) => open.failureToError(...args),
};
