import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  canonicalManifest,
  DeploymentState,
  Lease,
  LeaseState,
  type Manifest,
  manifestVersion,
  QueryDeploymentResponse,
  QueryParametersResponse,
} from "@dcx/protocol";
import pino from "pino";
import type { ChainView } from "../chain/view";
import { type Home, openHome } from "../home/home";
import { type ManifestStore, openManifestStore } from "../manifest/store";
import { noCapacity } from "../market/capacity";
import type { WantedConnections } from "../overlay/overlay";
import { describeDeployment } from "./deployment-status";
import { FakeRuntime, serveStatus } from "./fake-runtime";
import { LeaseTargets } from "./lease-target";
import { Reconciler } from "./reconciler";
import { servedVersion } from "./served-version";

const tenant = "dcx1tenant";
const deployment = `${tenant}/1`;
const lease = `${deployment}/west/1`;

interface Web {
  readonly image?: string;
  readonly count?: number;
  readonly cpu?: number;
  readonly check?: boolean;
  readonly volume?: boolean;
}

function manifestOf(web: Web): Manifest {
  return {
    schema: 1,
    salt: "11".repeat(32),
    workloads: {
      web: {
        infrastructure: "west",
        container: { image: web.image ?? "web:1" },
        ports: [8080],
        ...(web.count === undefined ? {} : { count: web.count }),
        ...(web.cpu === undefined ? {} : { compute: { cpu: web.cpu } }),
        ...(web.check === true ? { healthCheck: { http: "/", interval: 10, timeout: 1000, retries: 2 } } : {}),
        ...(web.volume === true ? { volumes: { data: { path: "/data", size: "1" } } } : {}),
      },
    },
    connections: { public: { to: "web", port: 8080, from: { global: true } } },
  };
}

/** One datacenter with one lease of one deployment. */
class World {
  readonly path = mkdtempSync(join(tmpdir(), "dcx-reconcile-"));
  readonly home: Home = openHome(this.path);
  readonly store: ManifestStore = openManifestStore(this.home);
  readonly runtime = new FakeRuntime();
  readonly reconciler: Reconciler;
  wanted: WantedConnections = { sources: [], targets: [], ingresses: [], egresses: [] };
  view: ChainView;
  #changed = (): void => {};

  constructor() {
    this.view = this.viewOf(Buffer.alloc(32), 2);
    this.reconciler = new Reconciler({
      runtime: this.runtime,
      overlay: {
        apply: (wanted) => {
          this.wanted = wanted;
        },
      },
      records: this.home.records,
      targets: new LeaseTargets({
        chainId: "dcx-1",
        datacenter: "dcx1dc",
        region: "us-west",
        isolation: "container",
        store: this.store,
        records: this.home.records,
      }),
      view: () => this.view,
      spare: () => noCapacity,
      drain: 0,
      logger: pino({ level: "silent" }),
      onChange: () => this.#changed(),
    });
    this.runtime.subscribe(() => this.reconciler.wake());
  }

  viewOf(version: Buffer, entries: number, cpu = 1000n): ChainView {
    const record = Lease.fromPartial({
      id: { tenant, sequence: 1n, infrastructure: "west", generation: 1 },
      datacenter: "dcx1dc",
      state: LeaseState.ACTIVE,
      resources: [{ compute: { cpu, memory: 1n << 30n, disk: 1n << 30n }, price: "1", count: 3 }],
    });
    return {
      height: 10n,
      parameters: QueryParametersResponse.fromPartial({}),
      record: undefined,
      orders: new Map(),
      fulfillments: new Map(),
      leases: new Map([[lease, record]]),
      broken: new Map(),
      deployments: new Map([
        [
          deployment,
          QueryDeploymentResponse.fromPartial({
            deployment: {
              id: { tenant, sequence: 1n },
              state: DeploymentState.ACTIVE,
              version,
              manifestEntries: entries,
            },
            leases: [record],
          }),
        ],
      ]),
    };
  }

  stage(manifest: Manifest): Buffer {
    const text = canonicalManifest(manifest);
    const version = Buffer.from(manifestVersion(text));
    this.store.put(deployment, version.toString("hex"), { manifest: text, stamps: {} });
    return version;
  }

  /** Stages a manifest, and has the chain name it. */
  activate(manifest: Manifest, entries = 2): Buffer {
    const version = this.stage(manifest);
    this.view = this.viewOf(version, entries);
    this.reconciler.wake();
    return version;
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`it never came to that: ${condition}`)), 4_000);
      this.#changed = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#changed = () => {};
        resolve();
      };
      this.#changed();
    });
  }

  status() {
    return describeDeployment({
      deployment,
      height: this.view.height,
      targets: this.reconciler.look.targets,
      observed: this.reconciler.look.observed,
      health: (id) => this.reconciler.health.of(id),
      progress: (id) => this.reconciler.progress(id),
      connections: new Map(),
    });
  }

  states(): readonly string[] {
    return this.status().workloads["web"]?.instances.map(({ state }) => state) ?? [];
  }

  served(): string | undefined {
    const [target] = this.reconciler.look.targets;
    if (target === undefined) return undefined;
    const version = servedVersion(
      target,
      this.reconciler.look.observed,
      (id) => this.reconciler.health.of(id),
      (id) => this.reconciler.accepts(id),
    );
    return version === undefined ? undefined : Buffer.from(version).toString("hex");
  }

  async close(): Promise<void> {
    await this.reconciler.close();
    await this.home.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}

describe("the reconciler", () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => world.close());

  it("starts what the chain's version names once it is held, and says that it serves when all of it is ready", async () => {
    world.stage(manifestOf({ count: 2 }));
    world.reconciler.wake();
    await world.until(() => world.reconciler.look.targets.length === 1);
    expect(world.runtime.calls).toEqual([]);
    const version = world.activate(manifestOf({ count: 2 }));
    await world.until(() => world.states().join() === "ready,ready");
    expect(world.served()).toBe(version.toString("hex"));
    expect(world.status()).toMatchObject({ version: version.toString("hex"), complete: true });
  });

  it("rolls to the next version one instance at a time, and pulls before it stops anything", async () => {
    world.activate(manifestOf({ count: 2 }));
    await world.until(() => world.states().join() === "ready,ready");
    world.runtime.calls.length = 0;
    const version = world.activate(manifestOf({ count: 2, image: "web:2" }));
    await world.until(() => world.served() === version.toString("hex") && world.runtime.instances.size === 2);
    expect(world.runtime.calls[0]).toBe("pull web:2");
    let running = 2;
    for (const call of world.runtime.calls) {
      if (call.startsWith("start")) running += 1;
      if (call.startsWith("remove")) running -= 1;
      expect(running).toBeGreaterThanOrEqual(1);
    }
  });

  it("keeps the old version and tells why when the new image can't be had", async () => {
    const first = world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    world.runtime.missingImages.set("web:nope", "no such image: web:nope");
    world.activate(manifestOf({ image: "web:nope" }));
    await world.until(() => world.status().workloads["web"]?.instances[0]?.message === "no such image: web:nope");
    expect(world.runtime.instances.size).toBe(1);
    expect(world.served()).not.toBe(first.toString("hex"));
    expect(world.states()).toEqual(["failed"]);
  });

  it("stops nothing for an incomplete manifest, and does not call it served", async () => {
    world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    const other: Manifest = { ...manifestOf({}), workloads: {}, connections: {} };
    world.activate(other, 2);
    await world.until(() => world.status().complete === false);
    expect(world.runtime.instances.size).toBe(1);
    expect(world.served()).toBeUndefined();
    // Neither is what led to it cut.
    expect(world.wanted.ingresses.map(({ connection }) => connection)).toEqual([`${deployment}/connections/public`]);
    world.activate(other, 0);
    await world.until(() => world.runtime.instances.size === 0);
    expect(world.wanted.ingresses).toEqual([]);
  });

  it("goes on running the last version that fits a lease", async () => {
    const first = world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    world.activate(manifestOf({ cpu: 4000, image: "web:2" }));
    await world.until(() => world.reconciler.look.targets[0]?.problem !== undefined);
    expect(world.served()).toBe(first.toString("hex"));
    expect(world.runtime.instances.size).toBe(1);
  });

  it("finds what ran before a restart of the agent, and starts nothing again", async () => {
    world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    const again = new World();
    try {
      for (const [id, instance] of world.runtime.instances) again.runtime.instances.set(id, instance);
      again.activate(manifestOf({}));
      await again.until(() => again.states().join() === "ready");
      expect(again.runtime.calls).toEqual([]);
    } finally {
      await again.close();
    }
  });

  it("removes instances and volumes when the lease ends, also those from before a restart", async () => {
    world.activate(manifestOf({ volume: true }));
    await world.until(() => world.states().join() === "ready");
    world.view = { ...world.view, leases: new Map(), deployments: new Map() };
    world.reconciler.wake();
    await world.until(() => world.runtime.instances.size === 0 && world.runtime.removedVolumes.length === 1);
    expect(world.home.records.names("volume/")).toEqual([]);
  });

  it("tries again, after a while, to remove what could not be removed", async () => {
    world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    world.runtime.stuck = 2;
    world.runtime.calls.length = 0;
    const began = performance.now();
    world.view = { ...world.view, leases: new Map(), deployments: new Map() };
    world.reconciler.wake();
    await world.until(() => world.runtime.instances.size === 0);
    expect(world.runtime.calls).toHaveLength(3);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  it("is ready when the health check passes, and unhealthy after it has failed several times in a row", async () => {
    let status = 503;
    const server = await serveStatus(() => status);
    try {
      world.activate(manifestOf({ check: true }));
      await world.until(() => world.runtime.instances.size === 1);
      const [id] = world.runtime.instances.keys();
      world.runtime.ports.set(id ?? "", server.port);
      await world.until(() => world.status().workloads["web"]?.instances[0]?.message === "GET / answered 503");
      expect(world.states()).toEqual(["running"]);
      status = 200;
      await world.until(() => world.states().join() === "ready");
      status = 500;
      await world.until(() => world.states().join() === "unhealthy");
    } finally {
      await server.close();
    }
  });

  it("tells an exit with its code and last line", async () => {
    world.activate(manifestOf({}));
    await world.until(() => world.states().join() === "ready");
    const [id] = world.runtime.instances.keys();
    world.runtime.become(id ?? "", { phase: "exited", exitCode: 1, message: "config error", restarts: 2 });
    await world.until(() => world.states().join() === "exited");
    expect(world.status().workloads["web"]?.instances[0]).toMatchObject({
      message: 'exited with 1: "config error"',
      restarts: 2,
    });
  });

  it("leads the ingress of a global connection to the instances that run", async () => {
    world.activate(manifestOf({ count: 2 }));
    await world.until(() => world.wanted.ingresses[0]?.instances.length === 2);
    expect(world.wanted.ingresses[0]).toMatchObject({ connection: `${deployment}/connections/public`, port: 8080 });
  });
});
