import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ControlStatus, controlSocket } from "./protocol";

/** No agent answers in that home. */
export class NoAgent extends Error {
  override readonly name = "NoAgent";
}

/** Asks the agent that runs with a home. Only its user, and root, can. */
export class ControlClient {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  /** @throws {NoAgent} */
  async status(): Promise<ControlStatus> {
    return ControlStatus.parse(JSON.parse(await this.#ask("GET", "/status")));
  }

  /** @throws {NoAgent} */
  async drain(options: { readonly exit: boolean }): Promise<ControlStatus> {
    return ControlStatus.parse(JSON.parse(await this.#ask("POST", "/drain", options)));
  }

  /** Sells again. @throws {NoAgent} */
  async resume(): Promise<ControlStatus> {
    return ControlStatus.parse(JSON.parse(await this.#ask("DELETE", "/drain")));
  }

  /** @param options `overlap` in milliseconds; 0: the old root ends at once @throws {NoAgent} */
  async rotateRoot(options: { readonly overlap: number }): Promise<ControlStatus> {
    return ControlStatus.parse(JSON.parse(await this.#ask("POST", "/rotate-root", options)));
  }

  /** In Prometheus' text format. @throws {NoAgent} */
  async metrics(): Promise<string> {
    return await this.#ask("GET", "/metrics");
  }

  async #ask(method: string, path: string, body?: object): Promise<string> {
    const socketPath = join(this.#home, controlSocket);
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers = content === undefined ? {} : { "content-type": "application/json" };
    return await new Promise((resolve, reject) => {
      const asking = request({ socketPath, method, path, headers, agent: false }, (answer) => {
        text(answer).then((found) => {
          if (answer.statusCode === 200) resolve(found);
          else reject(new Error(`the agent answered ${answer.statusCode}: ${found}`));
        }, reject);
      });
      asking.once("error", (error) => {
        const code = "code" in error ? String(error.code) : error.message;
        reject(
          new NoAgent(
            `no agent answers at ${socketPath} (${code}): start it with \`dcx datacenter start\`, as the same user`,
            { cause: error },
          ),
        );
      });
      asking.end(content);
    });
  }
}
