import * as http from "node:http";
import * as https from "node:https";

/** Bytes. The largest block's results are far below; who runs an endpoint need not be one's friend. */
const largestAnswer = 128 * 2 ** 20;

export interface TextAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * POST of JSON over connections that are kept. On Node's own client, which takes a third of the time of `fetch`: who
 * reads a hundred deployments sends a hundred of these.
 */
export class JsonPoster {
  private readonly http = new http.Agent({ keepAlive: true });
  private readonly https = new https.Agent({ keepAlive: true });

  /** @param timeout of one request, in ms */
  constructor(private readonly timeout: number) {}

  /** Rejects with the signal's reason, with a TimeoutError, or with what the network said. */
  post(url: string, body: string, signal: AbortSignal): Promise<TextAnswer> {
    return new Promise((resolve, reject) => {
      const secure = url.startsWith("https:");
      const { request: open } = secure ? https : http;
      const length = Buffer.byteLength(body);
      const request = open(url, {
        method: "POST",
        agent: secure ? this.https : this.http,
        headers: { "content-type": "application/json", "content-length": length },
      });
      const end = (reason: unknown): void => {
        request.destroy();
        fail(reason);
      };
      const aborted = (): void => end(signal.reason);
      const timer = setTimeout(
        () => end(new DOMException(`no answer within ${this.timeout} ms`, "TimeoutError")),
        this.timeout,
      );
      const settled = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
      };
      const fail = (reason: unknown): void => {
        settled();
        reject(reason);
      };
      signal.addEventListener("abort", aborted, { once: true });
      request.on("error", fail);
      request.on("response", (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on("data", (part: Buffer) => {
          parts.push(part);
          length += part.length;
          if (length > largestAnswer) end(new Error(`its answer has more than ${largestAnswer} bytes`));
        });
        response.on("error", fail);
        response.on("end", () => {
          settled();
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString("utf8") });
        });
      });
      request.end(body);
    });
  }
}
