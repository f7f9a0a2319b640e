import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Flows } from "../flows";
import { EgressFailed, EgressRefused } from "./dial";

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Opens what a workload asks for. @throws {EgressRefused} {EgressFailed} */
export type Dial = (target: Target) => Promise<Socket>;

/**
 * Answers a CONNECT (RFC 9110, section 9.3.6) and carries what follows. What is not opened is answered with the reason:
 * 403 for what is not allowed, 502 for what does not answer.
 * @param url as the request has it
 * @param head what came after the request already
 * @param onRefused told of what is not allowed
 */
export async function serveConnect(
  url: string | undefined,
  stream: Duplex,
  head: Buffer,
  flows: Flows | undefined,
  dial: Dial,
  onRefused: (message: string) => void,
): Promise<void> {
  stream.on("error", () => stream.destroy());
  const target = authority(url ?? "");
  if (target === undefined || flows === undefined) {
    stream.end(answer(400, "say host and port, as in CONNECT example.org:443"));
    return;
  }
  try {
    const other = await dial(target);
    stream.write("HTTP/1.1 200 Connection established\r\n\r\n");
    if (head.length > 0) other.write(head);
    await flows.carry(stream, async () => other);
  } catch (error) {
    stream.end(answer(...explainEgress(error, onRefused)));
  }
}

/** Status and sentence for who asked. */
export function explainEgress(error: unknown, onRefused: (message: string) => void): [status: number, message: string] {
  if (error instanceof EgressRefused) {
    onRefused(error.message);
    return [403, error.message];
  }
  return [502, error instanceof EgressFailed ? error.message : "the datacenter could not open the connection"];
}

export function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

function authority(text: string): Target | undefined {
  const found = /^(\[[0-9A-Fa-f:.]+\]|[^:\s/@]+):(\d{1,5})$/.exec(text);
  const port = Number(found?.[2]);
  if (found?.[1] === undefined || port < 1 || port > 65_535) return undefined;
  return { host: unbracketed(found[1]), port };
}

const reasons: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway" };

function answer(status: number, message: string): string {
  const body = `${message}\n`;
  return [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
