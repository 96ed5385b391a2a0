// What the groups' set-up provides, for `inject` in tests.
import 'vitest';

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port` of the group's Temporal server. */
    temporalAddress: string;
    temporalNamespace: string;
    /** Base URL of the server's Web UI; undefined for an existing server (TEMPORAL_ADDRESS). */
    temporalUiUrl: string | undefined;
    /** The bundle's file, for `Worker.create({ workflowBundle: { codePath } })`. */
    workflowBundlePath: string;
  }
}
