// How the demo shows progress: one line a stage, with details below it on a terminal; nothing with
// --json.
import { Listr, PRESET_TIMER } from 'listr2';

/** Takes a line about the current work. */
export type Print = (line: string) => void;

/** Runs one stage of the demo under a title. */
export type Stage = <T>(title: string, work: (print: Print) => Promise<T>) => Promise<T>;

export const silentStage: Stage = async (_title, work) => work(() => undefined);

/** Shows a spinner with the newest line below it on a terminal; plain lines elsewhere. */
export const visibleStage: Stage = async (title, work) => {
  const results: Awaited<ReturnType<typeof work>>[] = [];
  const list = new Listr(
    [
      {
        title,
        task: async (_context, task) => {
          results.push(
            await work((line) => {
              if (process.stdout.isTTY) task.output = line;
            }),
          );
        },
      },
    ],
    {
      fallbackRenderer: 'simple',
      rendererOptions: { timer: PRESET_TIMER },
    },
  );
  await list.run();
  const [result] = results;
  if (result === undefined) throw new Error(`Stage "${title}" has no result.`);
  return result;
};
