// Ctrl-C as a signal. `npm run` repeats a Ctrl-C that the terminal has sent to the command already,
// so that one press arrives twice.
import { EXIT } from './exit-code.js';

/** A further SIGINT within this time belongs to the same press, ms. */
const SAME_PRESS_MS = 2_000;

export interface Interrupt {
  /** Aborted by the first press. */
  readonly signal: AbortSignal;
  /** Leaves further presses to the system. */
  readonly stopListening: () => void;
}

/** Listens for Ctrl-C. A second press ends the process at once, whatever it still does. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  let pressedAtMs: number | undefined;
  const onPress = (): void => {
    const nowMs = performance.now();
    if (pressedAtMs !== undefined && nowMs - pressedAtMs > SAME_PRESS_MS) process.exit(EXIT.interrupted);
    pressedAtMs ??= nowMs;
    controller.abort(new Error('interrupted'));
  };
  process.on('SIGINT', onPress);
  return { signal: controller.signal, stopListening: () => void process.off('SIGINT', onPress) };
}
