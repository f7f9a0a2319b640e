import { Agent, request } from "node:http";
import { connect } from "node:net";
import { WebSocket } from "ws";

/** How a stranger reaches a node: with whatever bytes. Each waits for an answer, or for the end of the connection. */

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
/** Milliseconds after which a node that says nothing hangs. */
const patience = 20_000;

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export function post(url: string, body: string | Uint8Array, path = "/"): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, method: "POST", headers, agent, timeout: patience }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${patience} ms`)));
    call.on("error", reject);
    call.end(body);
  });
}

/** Writes exactly these bytes, and reads until the node ends the connection. @throws where it neither ends nor answers */
export function write(url: string, bytes: Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    socket.setTimeout(patience, () => socket.destroy(new Error(`no end within ${patience} ms`)));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    // A node may reset a connection by which nonsense comes.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}

/** An exact request for a target, which need not be one. */
export function get(url: string, target: string): Promise<string> {
  const { host } = new URL(url);
  const head = `GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  return write(url, Buffer.from(head, "latin1"));
}

/** What a node answers to messages over a WebSocket, and to one more that is good: as many answers, or the end of it. */
export async function tell(url: string, messages: readonly (string | Uint8Array)[]): Promise<readonly string[]> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/websocket`);
  const answers: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${patience} ms`)), patience);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    socket.on("open", () => {
      for (const message of messages) socket.send(message);
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: "the last", method: "health" }));
    });
    socket.on("message", (data) => {
      answers.push(data.toString());
      if (answers.length > messages.length) done();
    });
    socket.on("close", done);
    socket.on("error", done);
  });
  socket.terminate();
  return answers;
}
