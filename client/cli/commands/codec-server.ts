// volume-mover codec-server: lets the Temporal UI and the Temporal CLI show what a codec hides. It
// needs no estate.
import { Command, Option } from 'commander';
import { once } from 'node:events';
import { invalidField } from '../../../contracts/errors.js';
import { CODEC, readCodecSettings } from '../../../control/codec/read-codec.js';
import { startCodecServer } from '../../codec-server/codec-server.js';
import { parseCount } from '../batch-parsers.js';
import { exitCodeOf } from '../exit-code.js';
import { listenForInterrupt } from '../interrupt.js';
import { Output } from '../output.js';
import type { CommandContext, GlobalFlags } from '../session.js';

const PORT_DEFAULT = 8081;
/** The UI of a dev server, by both names of this machine. */
const ORIGINS_DEFAULT = ['http://127.0.0.1:8233', 'http://localhost:8233'];

interface CodecServerFlags extends GlobalFlags {
  readonly port: number;
  readonly origin?: readonly string[];
}

export function codecServerCommand(context: CommandContext): Command {
  return new Command('codec-server')
    .description(
      `decode payloads for the Temporal UI, on this machine only, until Ctrl-C; the codec is that of ${CODEC}`,
    )
    .addOption(
      new Option('--port <n>', 'where it listens on 127.0.0.1; 0 takes a free port')
        .argParser(parseCount)
        .default(PORT_DEFAULT),
    )
    .addOption(
      new Option(
        '--origin <url...>',
        `pages that may ask: the address of the Temporal UI (default ${ORIGINS_DEFAULT.join(' ')})`,
      ),
    )
    .action(async ({ port, origin = ORIGINS_DEFAULT, json = false }: CodecServerFlags) => {
      const output = new Output(context.streams, json);
      const interrupt = listenForInterrupt();
      try {
        const codec = await readCodecSettings(context.environment).open();
        if (codec === undefined)
          throw invalidField(CODEC, 'must be set as for the worker: there is nothing to decode with');
        const server = await startCodecServer({ codec, host: '127.0.0.1', port, origins: origin });
        output.answer({ url: server.url }, () => `Decodes at ${server.url} for ${origin.join(', ')}, until Ctrl-C.`);
        if (!interrupt.signal.aborted) await once(interrupt.signal, 'abort');
        await server.stop();
      } catch (error) {
        context.setExitCode(exitCodeOf(error));
        output.failure(error);
      } finally {
        interrupt.stopListening();
      }
    });
}
