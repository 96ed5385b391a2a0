// Shows how an attempt of a move that no longer runs came to its end.
import type { SettledMove } from '../doctor/doctor-client.js';
import { printable } from '../text/printable.js';

export function settledLines({ move, attempt, done, left }: SettledMove): string[] {
  const lines = [`Attempt ${attempt} of move ${move}: ${done}`, ...left.map((sentence) => `  remains: ${sentence}`)];
  return lines.map((line) => printable(line));
}
