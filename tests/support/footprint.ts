import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import Docker from "dockerode";
import type { World } from "./world";

/** What a world's network holds of the machine, by name. */
export interface Footprint {
  /** Paths below the datacenters' folders, without what is kept on purpose (see `kept`). */
  readonly files: readonly string[];
  /** How many TCP ports each process of the network listens on. */
  readonly ports: Readonly<Record<string, number>>;
  /** Containers and volumes of the world's container engine that its datacenters made. */
  readonly engine: readonly string[];
}

/** Images stay for the next workload that wants them. */
const kept = /^[^/]+\/runtime\/[^/]+\/images\//;

/** What the network of a world holds now. It has to be started. */
export async function footprint(world: World): Promise<Footprint> {
  const { node, datacenters } = world.network;
  const homes = join(world.paths.home, "datacenters");
  return {
    files: readdirSync(homes, { recursive: true, withFileTypes: true })
      .map((entry) => relative(homes, join(entry.parentPath, entry.name)))
      .filter((path) => !kept.test(path))
      .sort(),
    ports: Object.fromEntries(
      [["node", node.pid] as const, ...datacenters.map(({ name, process }) => [name, process.pid] as const)].map(
        ([name, pid]) => [name, listeningPorts(pid).length],
      ),
    ),
    engine: await onEngine(
      world,
      datacenters.map(({ address }) => address),
    ),
  };
}

/** The TCP addresses on which a process listens, in the network namespace that it is in. */
export function listeningPorts(pid: number | undefined): readonly string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${descriptor}`)];
      } catch {
        return [];
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === "0A" && sockets.has(`socket:[${inode}]`))
      .map(([, local]) => local ?? ""),
  );
}

async function onEngine(world: World, owners: readonly string[]): Promise<readonly string[]> {
  const socket = world.environment["DOCKER_HOST"]?.replace(/^unix:\/\//, "");
  if (socket === undefined) {
    return [];
  }
  const engine = new Docker({ socketPath: socket });
  const found = owners.map(async (owner) => {
    const label = { label: [`dcx.datacenter=${owner}`] };
    const containers = await engine.listContainers({ all: true, filters: label });
    const { Volumes: volumes } = await engine.listVolumes({ filters: label });
    return [...containers.map(({ Id }) => `container ${Id}`), ...volumes.map(({ Name }) => `volume ${Name}`)];
  });
  return (await Promise.all(found)).flat();
}
