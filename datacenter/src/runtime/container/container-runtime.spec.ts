import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { openRuntime } from "../open";
import type { InstanceSpecification, Runtime } from "../runtime";
import { until } from "../testing/instances";
import { presentInEngine } from "./engine-images";

const { buildImages } = require("../../../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

const image = "dcx.example/two-tier-api:1.0";
const withVolume = "dcx.example/with-volume:1.0";
const node = ["/usr/local/bin/node", "-e"];
const logger = { info: () => undefined, warn: () => undefined };
const folder = mkdtempSync(join(tmpdir(), "dcx-containers-"));
let layout: string;

beforeAll(async () => {
  layout = (await buildImages(join(folder, "layouts"))).layout;
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const engines = [
  { name: "Docker", socket: process.env["DCX_TEST_CONTAINER_SOCKET"] },
  { name: "Podman", socket: process.env["DCX_TEST_PODMAN_SOCKET"] },
];

for (const { name, socket = "" } of engines) {
  (socket === "" ? describe.skip : describe)(`containers of ${name}`, () => {
    const engine = new Docker({ socketPath: socket });
    const datacenter = `test-${name}-${process.pid}`;
    let runtime: Runtime;
    const open = (containerSocket = socket, marks = datacenter) =>
      openRuntime({
        isolation: "container",
        home: join(folder, name),
        imageLayouts: [layout],
        datacenter: marks,
        logger,
        containerSocket,
      });
    const own = async () => {
      const [found] = await engine.listContainers({ all: true, filters: { label: [`dcx.datacenter=${datacenter}`] } });
      if (found === undefined) throw new Error("there is no container");
      return engine.getContainer(found.Id);
    };

    beforeAll(async () => {
      runtime = await open();
      await runtime.pull(image);
    }, 120_000);
    afterEach(async () => {
      for (const { id } of await runtime.list()) await runtime.remove(id);
      await runtime.removeVolume("lease/data");
    }, 120_000);
    afterAll(async () => {
      await runtime.close();
      await engine
        .getImage(withVolume)
        .remove()
        .catch(() => undefined);
    }, 120_000);

    it("enforces every limit", () => expect(runtime.unenforced).toEqual([]));

    it("refuses a workload more processes than the limit, and goes on", async () => {
      const bomb = `const { spawn } = require("child_process"); let started = 0, refused = 0;
        const next = () => { if (refused > 0 || started > 200) return console.log("forked " + started + " " + refused);
          const child = spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)"], { stdio: "ignore" });
          child.once("spawn", () => { started++; next(); }).once("error", () => { refused++; next(); }); };
        next(); setInterval(() => 0, 1000);`;
      await runtime.start(specification("forks", { command: [...node, bomb] }));
      const [, started, refused] = /^forked (\d+) (\d+)$/.exec(await untilLogged(runtime, "forks", /^forked /)) ?? [];
      expect(Number(refused)).toBe(1);
      expect(Number(started)).toBeLessThan(64);
      expect(await runtime.list()).toMatchObject([{ state: { phase: "running", restarts: 0 } }]);
    }, 120_000);

    it("starts instances again whose volumes the machine's last start left unmounted", async () => {
      const volumes = [{ volume: "lease/data", path: "/data", size: 4n << 20n }];
      const append = `const fs = require("fs"); fs.appendFileSync("/data/x", "x"); console.log("has " + fs.readFileSync("/data/x")); setInterval(() => 0, 1000)`;
      await runtime.start(specification("restarts", { volumes, command: [...node, append] }));
      await untilLogged(runtime, "restarts", /^has x$/);
      await runtime.close();
      const container = await own();
      await container.stop({ t: 0 });
      const { Mounts } = await container.inspect();
      const source = Mounts.find(({ Destination }) => Destination === "/data")?.Source ?? "";
      execFileSync("umount", [join(source, "..")]);
      // Never without its volume: what it writes then would have no bound.
      await expect(container.start()).rejects.toThrow(/data/);
      runtime = await open();
      await untilLogged(runtime, "restarts", /^has xx$/);
    }, 120_000);

    /** As an agent leaves it that is killed between the two. */
    async function createAgain(container: Docker.Container): Promise<void> {
      const { Config, Image, Name } = await container.inspect();
      await container.remove({ force: true });
      await engine.createContainer({ Image, Labels: Config.Labels, name: Name.replace(/^\//, "") });
    }

    it("starts what an agent that was killed had created and not started", async () => {
      const again = specification("unstarted", {
        command: [...node, "console.log('runs'); setInterval(() => 0, 1000)"],
      });
      const gone = () => until(async () => (await runtime.list()).length === 0);
      await runtime.start(again);
      await runtime.close();
      await createAgain(await own());
      runtime = await open();
      await gone();
      await runtime.start(again);
      // The engine may come to it only when the next agent is there.
      await createAgain(await own());
      await gone();
      await runtime.start(again);
      await untilLogged(runtime, "unstarted", /^runs$/);
      expect(await runtime.list()).toMatchObject([{ state: { phase: "running", restarts: 0 } }]);
    }, 120_000);

    it("goes on when the engine goes away while it is asked about an event, and hears it again when it is back", async () => {
      // Nobody else's: an agent removes what another one is about to start.
      const others = `${datacenter}-other`;
      const way = await WayTo.open(socket, join(folder, `${name}.sock`));
      const other = await open(way.path, others);
      const create = async () => {
        const { name: Image } = await presentInEngine(engine, [layout], image);
        await engine.createContainer({ Image, Labels: { "dcx.datacenter": others } });
      };
      const removed = () =>
        until(async () => {
          const filters = { label: [`dcx.datacenter=${others}`] };
          return (await engine.listContainers({ all: true, filters })).length === 0;
        });
      try {
        await create();
        await removed();
        way.cutAt("created");
        await create();
        await until(async () => way.cuts > 0);
        await removed();
        await create();
        await removed();
      } finally {
        await other.close();
        await way.close();
      }
    }, 120_000);

    it("gives folders that an image declares as volumes a bound too", async () => {
      await runtime.start(specification("declares", { command: [...node, "setInterval(() => 0, 1000)"] }));
      await (await own()).commit({ repo: "dcx.example/with-volume", tag: "1.0", changes: "VOLUME /declared" });
      const fill = `const fs = require("fs"); let n = 0;
        try { for (;; n++) fs.appendFileSync("/declared/x", Buffer.alloc(1 << 20, 1)); } catch (e) { console.log("filled " + e.code + " " + n); }
        setInterval(() => 0, 1000)`;
      await runtime.start(specification("fills", { image: withVolume, command: [...node, fill] }));
      const line = await untilLogged(runtime, "fills", /^filled /);
      expect(line).toBe("filled ENOSPC 16");
    }, 120_000);
  });
}

/** A way to an engine that breaks off. */
class WayTo {
  /** How often all of its connections were cut. */
  cuts = 0;
  readonly #connections = new Set<Socket>();
  #word: string | undefined;

  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  static async open(engine: string, path: string): Promise<WayTo> {
    const server = createServer((caller) => {
      const callee = connect(engine);
      for (const [one, other] of [
        [caller, callee],
        [callee, caller],
      ] as const) {
        way.#connections.add(one.on("error", () => undefined));
        one.once("close", () => {
          way.#connections.delete(one);
          other.destroy();
        });
      }
      caller.on("data", (data) => way.#look(data));
      caller.pipe(callee).pipe(caller);
    });
    const way = new WayTo(path, server);
    server.listen(path);
    await once(server, "listening");
    return way;
  }

  /** All of it breaks once something is asked in which this word is. */
  cutAt(word: string): void {
    this.#word = word;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.#connections) socket.destroy();
    await once(this.server, "close");
  }

  #look(asked: Buffer): void {
    if (this.#word === undefined || !asked.includes(this.#word)) return;
    this.#word = undefined;
    this.cuts += 1;
    for (const socket of this.#connections) socket.destroy();
  }
}

function specification(id: string, changes: Partial<InstanceSpecification>): InstanceSpecification {
  return {
    id,
    labels: { deployment: "tenant/1", infrastructure: "west", lease: "tenant/1/west/1", workload: "api", index: 0 },
    digest: "d",
    image,
    environment: {},
    limits: { cpu: 500, memory: 256n << 20n, disk: 16n << 20n, processes: 64 },
    volumes: [],
    hosts: {},
    ...changes,
  };
}

async function untilLogged(runtime: Runtime, id: string, pattern: RegExp): Promise<string> {
  const stop = new AbortController();
  for await (const { line } of runtime.logs(id, { follow: true }, stop.signal)) {
    if (pattern.test(line)) {
      stop.abort();
      return line;
    }
  }
  throw new Error(`${id} ended without logging ${pattern}`);
}
