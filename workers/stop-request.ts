// Why and when a worker is asked to stop: a signal, or the end of the process that started it.

export interface StopRequest {
  readonly signal: AbortSignal;
  /** Resolves to why. */
  readonly asked: Promise<string>;
}

/**
 * To be called once a process. A parent that wants its children gone with it holds their stdin
 * open, however it dies.
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
