// This file's job is to be a bad way to the edge: a proxy that counts, cuts off and corrupts.
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the way does to the body of an answer. */
export type Fault =
  /** Cuts the connection after so many bytes. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Flips one bit at this offset. */
  | { readonly kind: 'flip'; readonly at: number }
  /** Answers this status in its own words instead. */
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> };

/** Chooses what happens to the answer to a request. */
export type Chooser = (path: string, count: number) => Fault | null;

/** A proxy in front of an edge. */
export class BadWay {
  /** Bytes of bodies that came through, by path. */
  readonly received = new Map<string, number>();
  /** Requests, in order. */
  readonly asked: string[] = [];
  choose: Chooser = () => null;

  private constructor(
    readonly target: URL,
    readonly server: Server,
  ) {}

  /** Begins to listen in front of an edge. */
  static async open(edgeUrl: string): Promise<BadWay> {
    const server = createServer();
    const way = new BadWay(new URL(edgeUrl), server);
    server.on('request', (incoming, outgoing) => {
      const path = incoming.url ?? '/';
      way.asked.push(`${incoming.method} ${path}`);
      const fault = way.choose(path, way.asked.filter((line) => line.endsWith(path)).length);
      if (fault?.kind === 'status') {
        outgoing.writeHead(fault.status, fault.headers).end('the way is closed');
        return;
      }
      const onward = request(
        { host: way.target.hostname, port: way.target.port, method: incoming.method, path, headers: incoming.headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          let sent = 0;
          answer.on('data', (piece: Buffer) => {
            const left = fault?.kind === 'cut' ? Math.max(0, fault.afterBytes - sent) : piece.length;
            const passed = Buffer.from(piece.subarray(0, left));
            if (fault?.kind === 'flip' && fault.at >= sent && fault.at < sent + passed.length) {
              passed[fault.at - sent] = (passed[fault.at - sent] ?? 0) ^ 1;
            }
            sent += passed.length;
            way.received.set(path, (way.received.get(path) ?? 0) + passed.length);
            outgoing.write(passed);
            if (left < piece.length) {
              outgoing.destroy();
              onward.destroy();
            }
          });
          answer.on('end', () => outgoing.end());
        },
      );
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return way;
  }

  /** Where devices find it. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Bytes of blobs that came through. */
  get blobBytes(): number {
    return [...this.received].filter(([path]) => path.startsWith('/v1/blobs/')).reduce((sum, [, bytes]) => sum + bytes, 0);
  }

  /** Forgets what it counted, and lets everything through. */
  reset(): void {
    this.received.clear();
    this.asked.length = 0;
    this.choose = () => null;
  }

  /** Stops listening. */
  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
