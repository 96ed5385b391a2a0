// When and why a worker is asked to stop: by a signal, or by the end of its parent process.

export interface StopRequest {
  readonly signal: AbortSignal;
  /** Resolves with the reason. */
  readonly asked: Promise<string>;
}

/**
 * Listens for a stop; call it once per process. A parent that wants its children to end with it
 * holds their stdin open, so that any kind of death closes it.
 */
export function listenForStop(exitWithParent: boolean): StopRequest {
  const controller = new AbortController();
  const asked = new Promise<string>((resolve) => {
    const ask = (why: string): void => {
      controller.abort(new Error(`asked to stop: ${why}`));
      resolve(why);
    };
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ask(name));
    if (!exitWithParent) return;
    process.stdin.on('end', () => ask('parent gone'));
    process.stdin.on('error', () => ask('parent gone'));
    process.stdin.resume();
  });
  return { signal: controller.signal, asked };
}
