import { createHash } from "node:crypto";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";
import { z } from "zod";

/** A span of time in milliseconds of `performance.now()`. */
export type Span = readonly [start: number, end: number];

const Call = z.object({ method: z.string(), params: z.record(z.string(), z.unknown()).optional() });
const Transaction = z.object({ tx: z.string() });
const Lookup = z.object({ hash: z.string() });
const Found = z.object({ result: z.object({ hash: z.string() }) });
const Block = z.object({
  result: z.object({ block: z.object({ data: z.object({ txs: z.array(z.string()).nullable() }) }) }),
});

/**
 * Stands between a plugin and a node, and knows when the plugin waits for the exchange: while a call is on its way, and
 * from the broadcast of a transaction until the plugin is told the block that it is in.
 */
export class RecordingProxy {
  private readonly spans: Span[] = [];
  /** When each transaction that the plugin knows no block of was broadcast, by its hash. */
  private readonly outstanding = new Map<string, number>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async before(target: string): Promise<RecordingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") {
      throw new Error("a server on a port has one");
    }
    const proxy = new RecordingProxy(server, `http://127.0.0.1:${address.port}`);
    server.on("request", async (incoming, outgoing) => {
      const start = performance.now();
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) {
        chunks.push(chunk);
      }
      const asked = Buffer.concat(chunks);
      const headers = { ...incoming.headers, host: `${hostname}:${port}` };
      const onward = request(
        { hostname, port, path: incoming.url, method: incoming.method, headers },
        async (answer) => {
          const parts: Buffer[] = [];
          for await (const part of answer) {
            parts.push(part);
          }
          const answered = Buffer.concat(parts);
          outgoing.writeHead(answer.statusCode ?? 502, { "content-type": answer.headers["content-type"] ?? "" });
          outgoing.end(answered);
          proxy.record(start, asked.toString(), answered.toString());
        },
      );
      onward.on("error", () => outgoing.destroy());
      onward.end(asked);
    });
    // The announcements of blocks: nothing on it is waited for that the calls do not show.
    server.on("upgrade", (incoming, socket, head) => {
      const onward = connect(Number(port), hostname, () => {
        const headers = Object.entries({ ...incoming.headers, host: `${hostname}:${port}` });
        const lines = headers.map(([name, value]) => `${name}: ${String(value)}`);
        onward.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
        onward.write(head);
        socket.pipe(onward).pipe(socket);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    return proxy;
  }

  /** Milliseconds between these two moments in which the plugin waited for the exchange. */
  awaited(from: number, to: number): number {
    const open = [...this.outstanding.values()].map((start): Span => [start, to]);
    return lengthOfUnion([...this.spans, ...open].map(([start, end]) => [Math.max(start, from), Math.min(end, to)]));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private record(start: number, asked: string, answered: string): void {
    const end = performance.now();
    this.spans.push([start, end]);
    const call = Call.safeParse(parsed(asked)).data;
    if (call?.method === "broadcast_tx_sync") {
      const transaction = Transaction.safeParse(call.params).data;
      if (transaction !== undefined) {
        this.outstanding.set(hashOf(transaction.tx), start);
      }
    } else if (call?.method === "tx") {
      const [lookup, found] = [Lookup.safeParse(call.params).data, Found.safeParse(parsed(answered)).data];
      if (lookup !== undefined && found !== undefined) {
        this.told(found.result.hash.toUpperCase(), end);
      }
    } else if (call?.method === "block") {
      for (const transaction of Block.safeParse(parsed(answered)).data?.result.block.data.txs ?? []) {
        this.told(hashOf(transaction), end);
      }
    }
  }

  private told(hash: string, end: number): void {
    const start = this.outstanding.get(hash);
    if (start !== undefined) {
      this.outstanding.delete(hash);
      this.spans.push([start, end]);
    }
  }
}

/** How long at least one of the spans lasts. Spans that end before they start count for nothing. */
export function lengthOfUnion(spans: readonly Span[]): number {
  let length = 0;
  let covered = Number.NEGATIVE_INFINITY;
  for (const [start, end] of [...spans].sort(([left], [right]) => left - right)) {
    length += Math.max(0, end - Math.max(start, covered));
    covered = Math.max(covered, end);
  }
  return length;
}

function hashOf(base64: string): string {
  return createHash("sha256").update(Buffer.from(base64, "base64")).digest("hex").toUpperCase();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
