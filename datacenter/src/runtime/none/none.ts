import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { z } from "zod";
import { resolveInRoot } from "../../images/root";
import type { UnpackedImage } from "../../images/store";
import { commandLine, environmentOf } from "../command-line";
import type { InnerListener, InstanceSpecification } from "../runtime";
import { fileName } from "../supervised/instance-files";
import type { MethodLaunch, SupervisedMethod } from "../supervised/supervised-runtime";

const Kept = z.object({ rootfs: z.string(), folder: z.string() });

/**
 * Isolation "none": plain processes of the agent's user, on the host's network, for workloads of one's own.
 *
 * The rule by which an image runs without its root: words of the command line that are absolute paths and exist in the
 * unpacked image mean the files there; a program without a slash is looked up in the image's PATH first, then in the
 * host's. The working directory is the image's, in the unpacked image. Libraries are the host's: what needs other ones
 * does not run here. Volumes are not at their paths: DCX_VOLUME_<N> names the folder of the Nth.
 *
 * Each instance is given a loopback address of its own in DCX_BIND_ADDRESS; one that listens elsewhere shares ports
 * with everything else on the machine. Names of connected workloads do not resolve: DCX_CONNECTION_<NAME> is what to use.
 */
export function plainMethod(): SupervisedMethod {
  return {
    isolation: "none",
    unenforced: ["cpu", "memory", "disk", "processes"],
    plan,
    inside: async (folder, _, command, { environment }) => {
      const kept = Kept.parse(JSON.parse(await readFile(join(folder, "plain.json"), "utf8")));
      return { line: mapped(command, kept.rootfs, environment), environment, folder: kept.folder };
    },
    network: (folder) => new HostNetwork(folder),
    clear: async () => undefined,
  };
}

async function plan(
  specification: InstanceSpecification,
  image: UnpackedImage,
  folder: string,
  volumes: string,
): Promise<MethodLaunch> {
  const address = loopbackAddress(folder);
  const environment = {
    ...environmentOf(specification, image),
    DCX_BIND_ADDRESS: address,
    ...Object.fromEntries(
      specification.volumes.map(({ volume }, index) => [`DCX_VOLUME_${index}`, join(volumes, fileName(volume))]),
    ),
  };
  const working = resolveInRoot(image.rootfs, image.workingDirectory, "follow");
  const kept = { rootfs: image.rootfs, folder: existsSync(working) ? working : image.rootfs };
  await writeFile(join(folder, "plain.json"), JSON.stringify(kept), { mode: 0o600 });
  return {
    controlGroups: [],
    depth: 0,
    command: [],
    arguments: mapped(commandLine(specification, image), image.rootfs, environment),
    environment,
    folder: kept.folder,
  };
}

function mapped(line: readonly string[], rootfs: string, environment: Readonly<Record<string, string>>): string[] {
  const [program = "", ...rest] = line;
  const found = program.includes("/")
    ? program
    : (environment["PATH"] ?? "")
        .split(":")
        .map((folder) => `${folder}/${program}`)
        .find((path) => existsSync(resolveInRoot(rootfs, path, "follow")));
  return [found ?? program, ...rest].map((word) => {
    const place = word.startsWith("/") ? resolveInRoot(rootfs, word, "follow") : "";
    return place !== "" && place !== rootfs && existsSync(place) ? place : word;
  });
}

/** An address of 127.0.0.0/8 for one instance, or 127.0.0.1 where the system has only that. */
function loopbackAddress(folder: string): string {
  if (process.platform !== "linux") {
    return "127.0.0.1";
  }
  const [a = 0, b = 0, c = 0] = createHash("sha256").update(folder).digest();
  return `127.${64 + (a % 64)}.${b}.${1 + (c % 254)}`;
}

/** Who wants the streams of a host address and port; the first of them gets them. */
interface Shared {
  readonly server: Server;
  readonly takers: Set<(stream: Duplex) => void>;
}
const shared = new Map<string, Shared>();

/**
 * The host's own loopback. Instances of one workload ask for the same address and port (it is the name of what they
 * connect to): they share the listener, and it does not matter which of them a stream is ascribed to.
 */
class HostNetwork {
  readonly #address: string;

  constructor(folder: string) {
    this.#address = loopbackAddress(folder);
  }

  async listen(address: string, port: number, onStream: (stream: Duplex) => void): Promise<InnerListener> {
    const key = `${address}:${port}`;
    const present = shared.get(key) ?? (await open(address, port));
    shared.set(key, present);
    present.takers.add(onStream);
    return {
      address,
      port,
      close: async () => {
        present.takers.delete(onStream);
        if (present.takers.size === 0 && shared.get(key) === present) {
          shared.delete(key);
          present.server.close();
        }
      },
    };
  }

  async dial(port: number): Promise<Duplex> {
    let reason: unknown;
    for (const host of new Set([this.#address, "127.0.0.1"])) {
      const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
      try {
        await once(socket, "connect");
        return socket;
      } catch (error) {
        reason = error;
      }
    }
    throw reason;
  }

  async refresh(): Promise<void> {}

  async close(): Promise<void> {}
}

async function open(address: string, port: number): Promise<Shared> {
  const takers = new Set<(stream: Duplex) => void>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const [taker] = takers;
    if (taker === undefined) {
      socket.destroy();
    } else {
      taker(socket);
    }
  });
  server.listen({ host: address, port });
  await once(server, "listening");
  return { server, takers };
}
