import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import { openRuntime } from "../open";
import type { Runtime } from "../runtime";

const { buildImages } = require("../../../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(120_000);

const image = "dcx.example/two-tier-api:1.0";
const node = "/usr/local/bin/node";
const logger = { info: () => undefined, warn: () => undefined };
const folder = mkdtempSync(join(tmpdir(), "dcx-isolation-"));
let layout: string;

beforeAll(async () => {
  layout = (await buildImages(join(folder, "layouts"))).layout;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Answers streams and datagrams on a port of all addresses. */
const serve = (port: number) => `
  require("net").createServer((s) => s.on("error", () => {}).end("hello")).listen(${port}, () => console.log("up"));
  const u = require("dgram").createSocket("udp4"); u.on("message", (_, from) => u.send("hello", from.port, from.address)).bind(${port});`;

/** Prints which of the targets in its argument answer. */
const attempt = `
  const { connect } = require("net"), { createSocket } = require("dgram");
  const stream = ({ host, port }) => new Promise((resolve) => {
    const s = connect({ host, port, timeout: 3000 }, () => {}).on("data", () => resolve(true))
      .on("error", () => resolve(false)).on("timeout", () => resolve(false)).on("end", () => resolve(false));
    s.unref; });
  const datagram = ({ host, port }) => new Promise((resolve) => {
    const u = createSocket("udp4").on("message", () => resolve(true)).on("error", () => resolve(false));
    u.send("who", port, host, (error) => error && resolve(false)); setTimeout(() => resolve(false), 3000); });
  const targets = JSON.parse(process.argv[1]);
  Promise.all(targets.map((t) => (t.datagram ? datagram(t) : stream(t)))).then((answers) => {
    console.log(JSON.stringify(Object.fromEntries(targets.map((t, i) => [t.name, answers[i]])))); process.exit(0); });`;

interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly datagram?: boolean;
}

const hostPort = 18_999;
const engines = [
  { name: "Docker", socket: process.env["DCX_TEST_CONTAINER_SOCKET"] },
  { name: "Podman", socket: process.env["DCX_TEST_PODMAN_SOCKET"] },
];

for (const { name, socket = "" } of engines) {
  (socket === "" ? describe.skip : describe)(`an adversary in a container of ${name}`, () => {
    const engine = new Docker({ socketPath: socket });
    const others: Docker.Container[] = [];
    let runtime: Runtime;
    let targets: readonly Target[];
    let adversary: number;

    /** A container of the adversary's image that is not the agent's, in a network of the engine. */
    async function container(network: string, script: string): Promise<Docker.Container> {
      const { Config } = await (await own()).inspect();
      const made = await engine.createContainer({
        Image: Config.Image,
        Entrypoint: [node, "-e", script],
        Cmd: [],
        HostConfig: { NetworkMode: network },
      });
      others.push(made);
      await made.start();
      return made;
    }

    async function own(): Promise<Docker.Container> {
      const filters = { label: [`dcx.datacenter=isolation-${name}-${process.pid}`] };
      const [found] = await engine.listContainers({ filters });
      if (found === undefined) throw new Error("the adversary does not run");
      return engine.getContainer(found.Id);
    }

    beforeAll(async () => {
      runtime = await openRuntime({
        isolation: "container",
        home: join(folder, name),
        imageLayouts: [layout],
        datacenter: `isolation-${name}-${process.pid}`,
        logger,
        containerSocket: socket,
      });
      await runtime.pull(image);
      await runtime.start({
        id: "adversary",
        labels: { deployment: "t/1", infrastructure: "west", lease: "t/1/west/1", workload: "evil", index: 0 },
        digest: "d",
        image,
        command: [node, "-e", "setInterval(() => 0, 1000)"],
        environment: {},
        limits: { cpu: 500, memory: 256n << 20n, disk: 16n << 20n, processes: 64 },
        volumes: [],
        hosts: { db: "127.77.0.1" },
      });
      adversary = (await (await own()).inspect()).State.Pid;
      const host = await container("host", serve(hostPort));
      const tenant = await container("bridge", serve(9000));
      await Promise.all([host, tenant].map(untilUp));
      const [network] = Object.values((await tenant.inspect()).NetworkSettings.Networks);
      if (network === undefined) throw new Error("the engine's own network is missing");
      const { Gateway: gateway, IPAddress: address } = network;
      const { Pid } = (await host.inspect()).State;
      targets = [
        { name: "gateway", host: gateway, port: hostPort },
        { name: "gateway by datagram", host: gateway, port: hostPort, datagram: true },
        { name: "other tenant", host: address, port: 9000 },
        { name: "other tenant by datagram", host: address, port: 9000, datagram: true },
      ];
      // Where the engine has a network of its own, that is the whole internet of this test.
      if (readlinkSync(`/proc/${Pid}/ns/net`) !== readlinkSync("/proc/self/ns/net")) {
        for (const [what, place] of [
          ["metadata", "169.254.169.254"],
          ["outward", "203.0.113.9"],
        ] as const) {
          execFileSync("nsenter", [
            `--net=/proc/${Pid}/ns/net`,
            "ip",
            "address",
            "replace",
            `${place}/32`,
            "dev",
            "lo",
          ]);
          targets = [...targets, { name: what, host: place, port: hostPort }];
        }
      }
    });
    afterAll(async () => {
      for (const each of others) await each.remove({ force: true });
      await runtime.remove("adversary");
      await runtime.close();
    });

    const none = () => Object.fromEntries(targets.map((target) => [target.name, false]));
    const all = () => Object.fromEntries(targets.map((target) => [target.name, true]));

    it("reaches what is declared for it, and of that no other port", async () => {
      const network = await runtime.network("adversary");
      const listener = await network.listen("127.77.0.1", 5432, (stream) => stream.on("error", () => {}).end("hello"));
      const asked = [
        { name: "declared", host: "db", port: 5432 },
        { name: "another port", host: "db", port: 5433 },
      ];
      expect(await inside(runtime, asked)).toEqual({ declared: true, "another port": false });
      await listener.close();
    });

    it("reaches nothing else with a root shell", async () => {
      expect(await inside(runtime, targets)).toEqual(none());
    });

    it("reaches nothing else with all rights over its network", async () => {
      const enter = [`--net=/proc/${adversary}/ns/net`];
      const run = promisify(execFile);
      const ways = [
        "ip address add 172.17.0.77/16 dev lo; ip route replace default dev lo",
        "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip route replace default dev v0",
      ];
      for (const way of ways) {
        await run("nsenter", [...enter, "sh", "-c", way]);
        const { stdout } = await run("nsenter", [...enter, process.execPath, "-e", attempt, JSON.stringify(targets)]);
        expect(JSON.parse(stdout)).toEqual(none());
      }
    });

    it("is reached by nobody: its namespace has no device but those that it made itself", async () => {
      const { stdout } = await promisify(execFile)("nsenter", [
        `--net=/proc/${adversary}/ns/net`,
        ...["ip", "-o", "link", "show"],
      ]);
      expect([...stdout.matchAll(/^\d+: (\w+)/gm)].map(([, device]) => device)).toEqual(["lo", "v1", "v0"]);
    });

    it("would reach all of it on the engine's own network: what keeps it is that it is on none", async () => {
      const script = `process.argv[1] = ${JSON.stringify(JSON.stringify(targets))}; ${attempt}`;
      const free = await container("bridge", script);
      await free.wait();
      const [line = ""] = /\{.*\}/.exec(String(await free.logs({ stdout: true }))) ?? [];
      expect(JSON.parse(line)).toEqual(all());
    });
  });
}

async function untilUp(container: Docker.Container): Promise<void> {
  while (!String(await container.logs({ stdout: true })).includes("up")) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function inside(runtime: Runtime, targets: readonly Target[]): Promise<unknown> {
  const execution = await runtime.open("adversary", { command: [node, "-e", attempt, JSON.stringify(targets)] });
  let text = "";
  for await (const data of execution.stdout) text += data;
  await execution.exited;
  return JSON.parse(text);
}
