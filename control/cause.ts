// fetch says "fetch failed" and hides why in nested causes; people need the innermost sentence.

/** The innermost message of an error, e.g. "connect ECONNREFUSED 127.0.0.1:7001". */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return causeOf(error.cause);
  // Several addresses of one host name were tried: one failure each, and no message of its own.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(causeOf).join(', ');
  return error.message;
}
