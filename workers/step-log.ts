// Which move, step and attempt a line of the log is about: lines of the SDK and of activities carry
// it, so that one search finds all that a move did.
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { z } from 'zod';

/** A reference to an attempt, as steps take it: itself, in a context, or in a record. */
const attemptSchema = z.looseObject({ move: z.string(), n: z.number() });
const withAttemptSchema = z.looseObject({ attempt: attemptSchema });
const reportSchema = z.looseObject({ move: z.string(), outcome: z.string() });

interface About {
  readonly move?: string;
  /** The move's attempt. */
  readonly attempt?: number;
}

/** `run` is Temporal's count of runs of the step, which the SDK calls attempt. */
export const stepLog: ActivityInterceptorsFactory = ({ info: { activityType: step, attempt: run } }) => {
  let about: About = {};
  return {
    inbound: {
      execute: async (input, next) => {
        about = aboutOf(input.args);
        return next(input);
      },
    },
    outbound: {
      getLogAttributes: ({ attempt: _run, ...attributes }, next) => next({ ...attributes, step, run, ...about }),
    },
  };
};

/** The first argument that names an attempt or a move decides. */
export function aboutOf(args: readonly unknown[]): About {
  for (const argument of args) {
    const within = withAttemptSchema.safeParse(argument).data?.attempt ?? attemptSchema.safeParse(argument).data;
    if (within !== undefined) return { move: within.move, attempt: within.n };
    const report = reportSchema.safeParse(argument).data;
    if (report !== undefined) return { move: report.move };
  }
  return {};
}
