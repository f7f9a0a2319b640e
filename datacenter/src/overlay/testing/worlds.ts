import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { type CertificateWithKey, createDatacenterRoot, createLeaf, parseIdentityUri } from "@dcx/protocol";
import type { InstanceNetwork } from "../../runtime/runtime";
import type {
  ConnectionKey,
  Overlay,
  OverlayOptions,
  PeerIdentity,
  WantedConnections,
  WantedSource,
  WantedTarget,
} from "../overlay";
import { startOverlay } from "../start";

// Datacenters for specs of the overlay; whatever a test has started ends with it.

export const chainId = "test-1";
export const folder = mkdtempSync(join(tmpdir(), "dcx-overlay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hour = 3_600_000;
export const around = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + hour) });

export interface World {
  readonly name: string;
  readonly root: CertificateWithKey;
  /** Under which root leaves are issued from now on. */
  issueUnder(root: CertificateWithKey): void;
  readonly overlay: Overlay;
  /** Ports of this machine by instance and port inside. */
  readonly services: Map<string, number>;
  readonly doors: Map<string, number>;
  readonly refusals: { readonly message: string; readonly details: Record<string, unknown> }[];
}

export const worlds: World[] = [];
export const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(({ overlay }) => overlay.close()));
  for (const server of servers.splice(0)) {
    server.close();
  }
});

type Changes = Partial<Pick<OverlayOptions, "home" | "leafLifetime" | "tunnels">>;

/** A datacenter whose instances are on this machine's loopback. */
export async function datacenter(name: string, changes: Changes = {}): Promise<World> {
  const root = await createDatacenterRoot({ chainId, datacenter: name }, around());
  let issuer = root;
  const services = new Map<string, number>();
  const doors = new Map<string, number>();
  const refusals: World["refusals"] = [];
  const network = (instance: string): InstanceNetwork => ({
    listen: async (address, port, onStream) => {
      const server = createServer({ allowHalfOpen: true }, onStream);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      servers.push(server);
      doors.set(`${instance} ${address}:${port}`, (server.address() as AddressInfo).port);
      return { address, port, close: async () => void server.close() };
    },
    dial: async (port) => {
      const at = services.get(`${instance}:${port}`);
      if (at === undefined) {
        throw new Error("connection refused");
      }
      const socket = connect({ port: at, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
  });
  const networks = new Map<string, InstanceNetwork>();
  const overlay = await startOverlay({
    listen: { host: "127.0.0.1", port: 0 },
    ingress: { listen: "127.0.0.1" },
    egress: { exchange: [], limits: { deny: [], denyPorts: [] } },
    home: join(folder, `${name}-${worlds.length}`),
    chainId,
    datacenter: name,
    ...changes,
    issue: async ({ uri, notBefore, notAfter }) => {
      const identity = parseIdentityUri(uri);
      if (identity === undefined) {
        throw new Error(uri);
      }
      const { certificate, key } = await createLeaf(issuer, identity, { notBefore, notAfter });
      return { certificate, privateKey: key };
    },
    network: async (instance) => {
      const found = networks.get(instance) ?? network(instance);
      networks.set(instance, found);
      return found;
    },
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (details, message) => refusals.push({ message, details: { ...details } }),
    },
  });
  const issueUnder = (next: CertificateWithKey) => {
    issuer = next;
  };
  const world = { name, root, issueUnder, overlay, services, doors, refusals };
  worlds.push(world);
  return world;
}

export async function serve(
  world: World,
  instance: string,
  port: number,
  onSocket: (socket: Socket) => void,
): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  world.services.set(`${instance}:${port}`, (server.address() as AddressInfo).port);
}

export const echo = (socket: Socket) => void socket.pipe(socket);
export const leaseOf = (world: World) => `tenant/1/${world.name}/1`;
export const identity = (world: World, workload: string): PeerIdentity => ({
  datacenter: world.name,
  lease: leaseOf(world),
  workload,
  roots: [world.root.certificate],
});
export const connection = "tenant/1/connections/web-to-api";

export function sourceOf(west: World, east: World, changes: Partial<WantedSource> = {}): WantedSource {
  return {
    connection,
    source: { lease: leaseOf(west), workload: "web" },
    instances: ["web-0"],
    address: "127.77.0.1",
    port: 9000,
    targets: [{ ...identity(east, "api"), addresses: [east.overlay.address] }],
    ...changes,
  };
}

export function targetOf(west: World, east: World, changes: Partial<WantedTarget> = {}): WantedTarget {
  return {
    connection,
    target: { lease: leaseOf(east), workload: "api" },
    instances: ["api-0"],
    port: 9000,
    sources: [identity(west, "web")],
    ...changes,
  };
}

export function apply(world: World, wanted: Partial<WantedConnections>): void {
  world.overlay.apply({ sources: [], targets: [], ingresses: [], egresses: [], ...wanted });
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export const established = (world: World, key: ConnectionKey) => world.overlay.status().get(key)?.established === true;

export async function declaredPair(changes: Pick<Changes, "leafLifetime" | "tunnels"> = {}) {
  const west = await datacenter("west", changes);
  const east = await datacenter("east", changes);
  await serve(east, "api-0", 9000, echo);
  apply(west, { sources: [sourceOf(west, east)] });
  apply(east, { targets: [targetOf(west, east)] });
  await until(() => established(west, `source ${connection}`));
  return { west, east };
}

export function dialDoor(world: World, door = "web-0 127.77.0.1:9000"): Socket {
  return connect({ port: world.doors.get(door) ?? 0, host: "127.0.0.1", allowHalfOpen: true });
}

export async function exchange(socket: Duplex, text: string): Promise<string> {
  socket.end(text);
  let answer = "";
  for await (const data of socket) {
    answer += data;
  }
  return answer;
}

export function notAfterOf(pem: string): Date {
  return new Date(new X509Certificate(pem).validTo);
}
