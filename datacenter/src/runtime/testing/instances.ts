import type { Duplex } from "node:stream";
import type { InstanceSpecification, Limits, ObservedInstance, Runtime } from "../runtime";

/** Has Node.js, and a program that answers on port 9000. */
export const image = "dcx.example/two-tier-api:1.0";

export const limits: Limits = { cpu: 500, memory: 256n << 20n, disk: 16n << 20n, processes: 64 };

/** Of an instance of the image. */
export function specification(id: string, changes: Partial<InstanceSpecification> = {}): InstanceSpecification {
  return {
    id,
    labels: { deployment: "tenant/1", infrastructure: "west", lease: "tenant/1/west/1", workload: "api", index: 0 },
    digest: "d",
    image,
    environment: {},
    limits,
    volumes: [],
    hosts: { db: "127.77.0.1" },
    ...changes,
  };
}

/** The command that runs a script of Node's inside. */
export function inNode(script: string): string[] {
  return ["/usr/local/bin/node", "-e", script];
}

/** @throws Error where the runtime does not know it */
export async function observed(runtime: Runtime, id: string): Promise<ObservedInstance> {
  const found = (await runtime.list()).find((instance) => instance.id === id);
  if (found === undefined) {
    throw new Error(`${id} is not there`);
  }
  return found;
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The first line of an instance's log that is like this, once there is one. @throws Error where it ends before that */
export async function untilLogged(runtime: Runtime, id: string, pattern: RegExp) {
  const stop = new AbortController();
  for await (const line of runtime.logs(id, { follow: true }, stop.signal)) {
    if (pattern.test(line.line)) {
      stop.abort();
      return line;
    }
  }
  throw new Error(`${id} ended without logging ${pattern}`);
}

/** A stream to a port of an instance's, once something accepts there. */
export async function untilAccepted(runtime: Runtime, id: string, port: number): Promise<Duplex> {
  const network = await runtime.network(id);
  for (;;) {
    try {
      return await network.dial(port);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The answer to a plain HTTP request, once something listens. */
export async function get(runtime: Runtime, id: string, port: number): Promise<string> {
  const stream = await untilAccepted(runtime, id, port);
  stream.end("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const data of stream) {
    text += data;
  }
  return text;
}

/** Starts an instance of the image's own program; resolves when it answers. */
export async function startAnswering(runtime: Runtime, id: string): Promise<void> {
  await runtime.start(specification(id, { environment: { GREETING: "it's me" } }));
  await get(runtime, id, 9000);
}
