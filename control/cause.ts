// fetch reports "fetch failed" and hides the reason in nested causes. People need the innermost
// message.

/** The innermost message of an error, for example "connect ECONNREFUSED 127.0.0.1:7001". */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return causeOf(error.cause);
  // Several addresses of one host name failed. Each has its own error; this one has no message.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(causeOf).join(', ');
  return error.message;
}
