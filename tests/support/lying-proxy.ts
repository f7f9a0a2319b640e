import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

const base64 = z
  .string()
  .nullish()
  .transform((written) => Buffer.from(written ?? "", "base64"));
const Request = z.object({ method: z.string(), params: z.record(z.string(), z.unknown()).default({}) }).loose();
const AbciAnswer = z.object({ response: z.object({ value: base64, height: z.string() }).loose() });
const CommitAnswer = z.object({
  signed_header: z.object({
    header: z.record(z.string(), z.unknown()),
    commit: z.object({ signatures: z.array(z.record(z.string(), z.unknown())) }).loose(),
  }),
});

export type AbciResponse = z.infer<typeof AbciAnswer>["response"];
type Json = Record<string, unknown>;
type Commit = z.infer<typeof CommitAnswer>["signed_header"]["commit"];

/** What is changed on the way. */
export interface Lies {
  readonly parameters?: (method: string, parameters: Json) => Json;
  readonly query?: (path: string, data: Buffer, response: AbciResponse) => AbciResponse;
  readonly header?: (header: Json) => Json;
  readonly commit?: (commit: Commit) => Commit;
  readonly result?: (method: string, result: Json) => Json;
}

/** JSON-RPC of a real node, with lies. It carries no WebSocket: who follows blocks through it polls. */
export class LyingProxy {
  #lies: Lies = {};

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(node: string): Promise<LyingProxy> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        proxy.#answer(node, Buffer.concat(chunks).toString("utf8")).then(
          (body) => response.writeHead(200, { "content-type": "application/json" }).end(body),
          () => response.writeHead(502).end(),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const proxy = new LyingProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return proxy;
  }

  /** From now on. */
  tell(lies: Lies): void {
    this.#lies = lies;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(node: string, body: string): Promise<string> {
    const request = Request.parse(JSON.parse(body));
    const { method } = request;
    const params = this.#lies.parameters?.(method, request.params) ?? request.params;
    const answer = await fetch(node, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...request, params }),
    });
    const parsed = z
      .object({ result: z.record(z.string(), z.unknown()).optional() })
      .loose()
      .parse(await answer.json());
    if (parsed.result === undefined) return JSON.stringify(parsed);
    return JSON.stringify({ ...parsed, result: this.#changed(method, params, parsed.result) });
  }

  #changed(method: string, params: Json, result: Json): Json {
    const { commit, header, query } = this.#lies;
    if (method === "abci_query" && query !== undefined) {
      const { response } = AbciAnswer.parse(result);
      const changed = query(String(params["path"]), Buffer.from(String(params["data"]), "hex"), response);
      return { response: { ...changed, value: changed.value.toString("base64") } };
    }
    if (method === "commit") {
      const { signed_header: signed } = CommitAnswer.parse(result);
      return {
        ...result,
        signed_header: {
          header: header?.(signed.header) ?? signed.header,
          commit: commit?.(signed.commit) ?? signed.commit,
        },
      };
    }
    return this.#lies.result?.(method, result) ?? result;
  }
}
