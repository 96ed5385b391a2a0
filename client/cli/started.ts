// Messages of commands that have just started a workflow.
import type { StartedWorkflow } from '../workflow-client.js';
import type { Output } from './output.js';

/** The answer of a command that does not wait. @param more lines after the id and the URL */
export function answerStarted(
  output: Output,
  id: string,
  started: StartedWorkflow,
  more: readonly string[] = [],
): void {
  output.answer({ ...started }, () => [`Started ${id}`, ...urlLines(started), ...more].join('\n'));
}

/** The message before following a workflow. @param what its kind and id, e.g. "Move move-1@…" */
export function announceStarted(output: Output, what: string, started: StartedWorkflow): void {
  for (const line of [what, ...urlLines(started)]) output.progress(line);
}

function urlLines({ url }: StartedWorkflow): string[] {
  return url === undefined ? [] : [`  ${url}`];
}
