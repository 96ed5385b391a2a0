// How the demo shows what it is doing: one line a stage, with what goes on inside it on a terminal;
// nothing with --json.
import { Listr, PRESET_TIMER } from 'listr2';

/** Gets a line about what goes on now. */
export type Say = (line: string) => void;

/** Runs one stage under a title. */
export type Stage = <T>(title: string, work: (say: Say) => Promise<T>) => Promise<T>;

export const silentStage: Stage = async (_title, work) => work(() => undefined);

/** On a terminal a spinner with the newest line below it; elsewhere plain lines. */
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
