import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Runtime } from "../runtime";
import { type HogName, hogLimits, hogs, hogVolume } from "./hogs";
import { image, inNode, specification, untilAccepted, untilLogged } from "./instances";

/** Answers each byte after several milliseconds of work on memory that it has: a page that is rendered. */
const neighbour = `
  const { createHash } = require("crypto"); const memory = Buffer.alloc(16 << 20, 1); let at = 0;
  require("net").createServer((socket) => socket.setNoDelay(true).on("error", () => {}).on("data", (data) => {
    for (let n = 0; n < 16; n++) {
      at = (at + (1 << 19)) % memory.length;
      createHash("sha256").update(memory.subarray(at, at + (1 << 19))).digest();
    }
    socket.write(data);
  })).listen(9000, "127.0.0.1");`;

/** An instance that answers requests, and a hog beside it in the same runtime. */
export class Neighbourhood {
  private constructor(
    private readonly runtime: Runtime,
    private readonly requests: Duplex,
  ) {}

  /** Starts the neighbour; resolves when it accepts requests. */
  static async open(runtime: Runtime): Promise<Neighbourhood> {
    await runtime.pull(image);
    const limits = { ...hogLimits, cpu: 1_000 };
    await runtime.start(specification("neighbour", { command: inNode(neighbour), limits }));
    return new Neighbourhood(runtime, await untilAccepted(runtime, "neighbour", 9000));
  }

  /** One request; resolves with its answer. Rejects where the connection ends instead. */
  async ask(): Promise<void> {
    this.requests.write("r");
    await once(this.requests, "data");
  }

  /** Resolves when the hog takes what it can. @param mark an argument by which its processes are known */
  async startHog(name: HogName, mark = "hog"): Promise<void> {
    await this.runtime.start(
      specification("hog", {
        command: [...inNode(hogs[name].script), mark],
        limits: hogLimits,
        volumes: [{ volume: "data", path: "/data", size: hogVolume }],
      }),
    );
    await this.said(/^hogging$/);
  }

  /** The first line of the hog's that is like this, once there is one. */
  async said(pattern: RegExp): Promise<string> {
    return (await untilLogged(this.runtime, "hog", pattern)).line;
  }

  removeHog(): Promise<void> {
    return this.runtime.remove("hog");
  }

  /** Removes all that the runtime has. */
  async close(): Promise<void> {
    this.requests.destroy();
    for (const { id } of await this.runtime.list()) await this.runtime.remove(id);
    await this.runtime.removeVolume("data");
  }
}
