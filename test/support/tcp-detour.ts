// A way to a TCP server that can be closed and opened again, as a network that fails.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpDetour {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isOpen = true;

  private constructor(host: string, port: number) {
    this.#server = createServer((from) => {
      if (!this.#isOpen) {
        from.destroy();
        return;
      }
      const to = connect(port, host);
      for (const [socket, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  /** @param address `host:port` of the server */
  static async to(address: string): Promise<TcpDetour> {
    const { hostname, port } = new URL(`tcp://${address}`);
    const detour = new TcpDetour(hostname, Number(port));
    detour.#server.listen(0, '127.0.0.1');
    await once(detour.#server, 'listening');
    return detour;
  }

  /** Its own `host:port`. */
  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('It listens on no port.');
    return `127.0.0.1:${address.port}`;
  }

  /** Ends every connection, and takes no new one until `open`. */
  close(): void {
    this.#isOpen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#isOpen = true;
  }

  stop(): void {
    this.close();
    this.#server.close();
  }
}
