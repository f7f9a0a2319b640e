import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { PeerVerifier } from "@dcx/protocol";
import { Egress } from "../overlay/egress/egress";
import { openRuntime } from "./open";
import { isRunning, ProcessMark } from "./processes";
import type { InstanceSpecification, ObservedState, Runtime } from "./runtime";
import { controlGroupName } from "./sandbox/sandbox";
import { fileName } from "./supervised/instance-files";

const { buildImages } = require("../../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string; images: { name: string; digest: string }[] }>;
};

const image = "dcx.example/two-tier-api:1.0";
const logger = { info: () => undefined, warn: () => undefined };
const folder = mkdtempSync(join(tmpdir(), "dcx-runtime-"));
let layout: string;
let digest: string;

beforeAll(async () => {
  const built = await buildImages(join(folder, "layouts"));
  layout = built.layout;
  digest = built.images.find(({ name }) => name === image)?.digest ?? "";
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Offer {
  readonly name: string;
  readonly isolation: "sandbox" | "none" | "container";
  readonly maker?: "bubblewrap" | "unshare";
  /** Of the engine. Absent: there is none. */
  readonly socket?: string | undefined;
}

/** What this machine offers; the others are named in the test report as skipped. */
const offered = (
  [
    { name: "sandbox (bubblewrap)", isolation: "sandbox", maker: "bubblewrap" },
    { name: "sandbox (unshare)", isolation: "sandbox", maker: "unshare" },
    { name: "none", isolation: "none" },
    { name: "container (Docker)", isolation: "container", socket: process.env["DCX_TEST_CONTAINER_SOCKET"] },
    { name: "container (Docker, users mapped)", isolation: "container", socket: process.env["DCX_TEST_MAPPED_SOCKET"] },
    { name: "container (Podman)", isolation: "container", socket: process.env["DCX_TEST_PODMAN_SOCKET"] },
  ] satisfies readonly Offer[]
).map((entry: Offer) => {
  const there = entry.isolation === "container" ? entry.socket !== undefined : process.platform === "linux";
  return { ...entry, describe: there ? describe : describe.skip };
});

for (const { name, isolation, maker, socket, describe } of offered) {
  const isolated = isolation === "none" ? it.skip : it;
  describe(`isolation ${name}`, () => {
    const home = join(folder, name.replace(/\W+/g, "-"));
    let runtime: Runtime;
    const open = () =>
      openRuntime({
        isolation,
        home,
        imageLayouts: [layout],
        datacenter: `test-${process.pid}`,
        logger,
        ...(maker === undefined ? {} : { sandboxMaker: maker }),
        ...(socket === undefined ? {} : { containerSocket: socket }),
      });
    beforeAll(async () => {
      runtime = await open();
      await runtime.pull(image);
    }, 120_000);
    afterAll(async () => {
      for (const { id } of await runtime.list()) {
        await runtime.remove(id);
      }
      await runtime.close();
    }, 60_000);

    it("pulls an image from a layout, by tag and digest, and says which it is", async () => {
      await expect(runtime.pull(image)).resolves.toBe(digest);
      await expect(runtime.pull(`dcx.example/two-tier-api@${digest}`)).resolves.toBe(digest);
    });

    it("answers inside its own network, and logs", async () => {
      await runtime.start(specification("answers", { environment: { GREETING: "it's me" } }));
      await expect(get(runtime, "answers", 9000)).resolves.toContain("it's me");
      await expect(untilLogged(runtime, "answers", /api listens/)).resolves.toMatchObject({ stream: "stdout" });
      const [instance] = await runtime.list();
      expect(instance).toMatchObject({ id: "answers", digest: "d", state: { phase: "running", restarts: 0 } });
      if (isolation === "sandbox") {
        const limited = (["cpu", "memory"] as const).filter((limit) => !runtime.unenforced.includes(limit));
        const found = controlGroupsOf([controlGroupName(join(home, "sandbox"), "answers")]);
        expect(found.length > 0).toBe(limited.length > 0);
      }
    }, 30_000);

    it("runs a command inside and gives its exit code", async () => {
      const node = ["/usr/local/bin/node", "-e"];
      await expect(runtime.execute("answers", [...node, "process.exit(7)"], 10_000)).resolves.toBe(7);
      const asks =
        'fetch("http://" + (process.env.DCX_BIND_ADDRESS ?? "127.0.0.1") + ":9000").then((r) => process.exit(r.status === 200 ? 0 : 1))';
      await expect(runtime.execute("answers", [...node, asks], 10_000)).resolves.toBe(0);
      const began = Date.now();
      await expect(runtime.execute("answers", [...node, "setInterval(() => 0, 1000)"], 500)).resolves.not.toBe(0);
      expect(Date.now() - began).toBeLessThan(8_000);
    }, 30_000);

    it("runs a command that reads what it is sent, tells both outputs apart, and gives its exit code", async () => {
      const script = `process.stdin.on("data", (d) => process.stdout.write("heard " + d)).on("end", () => { console.error("over"); process.exit(3); })`;
      const execution = await runtime.open("answers", { command: ["/usr/local/bin/node", "-e", script] });
      execution.stdin.write("a word");
      const heard = String((await once(execution.stdout, "data"))[0]);
      execution.stdin.end();
      const [out, error, code] = await Promise.all([
        text(execution.stdout),
        text(execution.stderr ?? Readable.from([])),
        execution.exited,
      ]);
      expect({ out: heard + out, error: error.trim(), code }).toEqual({ out: "heard a word", error: "over", code: 3 });
    }, 30_000);

    it("carries more than any buffer holds, both ways", async () => {
      const execution = await runtime.open("answers", {
        command: ["/usr/local/bin/node", "-e", "process.stdin.pipe(process.stdout)"],
      });
      const sent = Buffer.alloc(3 << 20, "0123456789");
      execution.stdin.end(sent);
      const [got, code] = await Promise.all([buffer(execution.stdout), execution.exited]);
      expect(code).toBe(0);
      expect(got.equals(sent)).toBe(true);
    }, 30_000);

    it("gives a command a terminal of the size that it is told", async () => {
      // Some engines take the size a moment after the start: then it comes as a change.
      const script = `const say = () => console.log("size " + process.stdout.isTTY + " " + process.stdin.isTTY + " " + process.stdout.getWindowSize() + " " + process.env.TERM);
        process.stdout.on("resize", () => { say(); if (process.stdout.getWindowSize()[0] === 92) process.exit(5); }); say();
        setInterval(() => 0, 1000)`;
      const execution = await runtime.open("answers", {
        command: ["/usr/local/bin/node", "-e", script],
        terminal: { columns: 91, rows: 31, type: "vt100" },
      });
      let shown = "";
      execution.stdout.on("data", (data) => {
        shown += data;
      });
      await until(async () => /size true true 91,31 vt100/.test(shown));
      execution.resize({ columns: 92, rows: 32 });
      await expect(execution.exited).resolves.toBe(5);
      await until(async () => /size true true 92,32/.test(shown));
      expect(execution.stderr).toBeUndefined();
    }, 30_000);

    it("ends a command when told, and says when one can't be run", async () => {
      const endless = await runtime.open("answers", {
        command: ["/usr/local/bin/node", "-e", 'console.log("up"); setInterval(() => 0, 1000)'],
      });
      await once(endless.stdout, "data");
      endless.kill();
      await expect(endless.exited).resolves.toBeGreaterThan(0);
      const missing = runtime.open("answers", { command: ["/no/such/program"] }).then(({ exited }) => exited);
      await expect(missing.catch(() => 127)).resolves.toBeGreaterThan(0);
    }, 30_000);

    it("holds such a command to the instance's limits where it says that it does", async () => {
      if (isolation === "none") return;
      const read = 'process.stdout.write(require("fs").readFileSync("/proc/self/cgroup", "utf8"))';
      const execution = await runtime.open("answers", { command: ["/usr/local/bin/node", "-e", read] });
      const ofCommand = await text(execution.stdout);
      if (isolation === "sandbox" && !runtime.unenforced.includes("memory")) {
        expect(ofCommand).toContain(controlGroupName(join(home, "sandbox"), "answers"));
      }
      const eat = "const kept = []; setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 5)";
      const eating = await runtime.open("answers", { command: ["/usr/local/bin/node", "-e", eat] });
      if (runtime.unenforced.includes("memory")) eating.kill();
      await expect(eating.exited).resolves.toBe(137);
      await until(async () => (await observed(runtime, "answers")).state.phase === "running");
    }, 30_000);

    isolated(
      "lets the overlay listen inside, under a name that resolves there",
      async () => {
        const network = await runtime.network("answers");
        const listener = await network.listen("127.77.0.1", 5432, (stream) => {
          stream.on("error", () => undefined);
          stream.resume().once("end", () => stream.end("from outside"));
        });
        const script = `
        const socket = require("net").connect({ host: "db", port: 5432, allowHalfOpen: true }, () => socket.end("x"));
        let text = ""; socket.on("data", (d) => { text += d; });
        socket.on("end", () => process.exit(text === "from outside" ? 0 : 1)); socket.on("error", () => process.exit(2));`;
        const ask = () => runtime.execute("answers", ["/usr/local/bin/node", "-e", script], 10_000);
        await expect(ask()).resolves.toBe(0);
        await listener.close();
        await expect(ask()).resolves.toBe(2);
      },
      30_000,
    );

    isolated(
      "leads out where egress is declared, by its proxies alone, and nowhere else",
      async () => {
        const internet = createServer((request, response) => response.end(`public ${request.url}`));
        internet.listen(0, "127.0.0.1");
        const node = createServer((_, response) => response.end("node"));
        node.listen(0, "127.0.0.1");
        await Promise.all([once(internet, "listening"), once(node, "listening")]);
        const portOf = (server: typeof node) => (server.address() as AddressInfo).port;
        const options = {
          network: (id: string) => runtime.network(id),
          exchange: [`http://127.0.0.1:${portOf(node)}`],
          limits: { deny: [], denyPorts: [] },
          chainId: "dcx-runtime-1",
          verifier: await PeerVerifier.create(),
          // The internet of this test: one public address that leads to the server above.
          effects: {
            resolve: async (name: string) => [name === "public.example" ? "1.1.1.1" : "10.0.0.1"],
            connect: async (address: string) => {
              const socket = connect(address === "1.1.1.1" ? portOf(internet) : 1, "127.0.0.1");
              await once(socket, "connect");
              return socket;
            },
            own: () => [],
          },
          logger: { debug: () => {}, info: () => {}, warn: () => {} },
          onChange: () => {},
        };
        const source = { lease: "tenant/1/west/1", workload: "api" };
        const rules = [{ ports: [80] }];
        const out = new Egress(options, { source, instances: ["leads-out"], address: "127.77.0.2", port: 3128, rules });
        const toExchange = { source, instances: ["leads-out"], address: "127.77.0.3", port: 26657 };
        const exchange = new Egress(options, toExchange);
        await runtime.start(
          specification("leads-out", {
            hosts: { "egress.dcx.internal": "127.77.0.2", "exchange.dcx.internal": "127.77.0.3" },
            command: ["/usr/local/bin/node", "-e"],
            arguments: [
              `const { connect } = require("net"); const { request } = require("http");
               const ask = (host, port, path) => new Promise((resolve) => request({ host, port, path }, (response) => {
                 let text = ""; response.on("data", (d) => { text += d; }).on("end", () => resolve(response.statusCode + " " + text.trim()));
               }).on("error", (error) => resolve(error.code)).end());
               const dial = (host, port) => new Promise((resolve) => connect({ host, port, timeout: 3000 }, () => resolve("reached"))
                 .on("error", (error) => resolve(error.code)).on("timeout", () => resolve("timeout")));
               const until = async (act) => { for (;;) { const found = await act(); if (found !== "ECONNREFUSED") return found; await new Promise((r) => setTimeout(r, 20)); } };
               (async () => console.log("found " + JSON.stringify({
                 allowed: await until(() => ask("egress.dcx.internal", 3128, "http://public.example/a")),
                 inside: await ask("egress.dcx.internal", 3128, "http://inside.example/a"),
                 host: await ask("egress.dcx.internal", 3128, "http://127.0.0.1:${portOf(node)}/"),
                 exchange: await until(() => ask("exchange.dcx.internal", 26657, "/status")),
                 direct: await dial("1.1.1.1", 80), metadata: await dial("169.254.169.254", 80), node: await dial("127.0.0.1", ${portOf(node)}),
                 name: await new Promise((resolve) => require("dns").lookup("public.example", (error) => resolve(error === null ? "found" : "none"))),
               })))(); setInterval(() => 0, 1000);`,
            ],
          }),
        );
        const opening = setInterval(() => {
          out.check();
          exchange.check();
        }, 50);
        try {
          const { line } = await untilLogged(runtime, "leads-out", /^found /);
          expect(JSON.parse(line.slice("found ".length))).toEqual({
            allowed: "200 public /a",
            inside: "403 inside.example:80 is not reached: 10.0.0.1: it is not public (private)",
            host: expect.stringMatching(/^403 127\.0\.0\.1:\d+ is not reached: /),
            exchange: "200 node",
            direct: "ENETUNREACH",
            metadata: "ENETUNREACH",
            node: "ECONNREFUSED",
            name: "none",
          });
        } finally {
          clearInterval(opening);
          for (const each of [out, exchange, internet, node]) each.close();
          await runtime.remove("leads-out");
        }
      },
      30_000,
    );

    isolated(
      "leaves the ports of connections to the workload itself, on all its other addresses, whoever comes first",
      async () => {
        const network = await runtime.network("answers");
        const node = ["/usr/local/bin/node", "-e"];
        const hears = (address: string, port: number, text: string) =>
          `new Promise((done, fail) => require("node:net").connect(${port}, "${address}").on("error", fail)
            .on("data", (data) => String(data) === "${text}" ? done() : fail(new Error(String(data)))))`;
        // The workload has had port 9000 of all its addresses since its start.
        const after = await network.listen("127.77.0.2", 9000, (stream) => stream.end("the target"));
        await expect(
          runtime.execute("answers", [...node, hears("127.77.0.2", 9000, "the target")], 30_000),
        ).resolves.toBe(0);
        await expect(get(runtime, "answers", 9000)).resolves.toContain("it's me");
        const before = await network.listen("127.77.0.2", 9001, (stream) => stream.end("the target"));
        const listens = `require("node:net").createServer((s) => s.end("itself")).listen(9001, "0.0.0.0", () =>
          ${hears("127.0.0.1", 9001, "itself")}.then(() => ${hears("127.77.0.2", 9001, "the target")})
            .then(() => process.exit(0), (error) => { console.error(error); process.exit(1); }))`;
        await expect(runtime.execute("answers", [...node, listens], 30_000)).resolves.toBe(0);
        await before.close();
        const again = (port: number) =>
          runtime.execute("answers", [...node, hears("127.77.0.2", port, "the target")], 30_000);
        await expect(again(9001)).resolves.not.toBe(0);
        await expect(again(9000)).resolves.toBe(0);
        await after.close();
      },
      120_000,
    );

    (name.includes("users mapped") ? it : it.skip)("makes root inside nobody outside", async () => {
      const read = 'process.stdout.write(require("fs").readFileSync("/proc/self/uid_map", "utf8"))';
      const execution = await runtime.open("answers", { command: ["/usr/local/bin/node", "-e", read] });
      const [inside, outside] = (await text(execution.stdout)).trim().split(/\s+/);
      expect(inside).toBe("0");
      expect(Number(outside)).toBeGreaterThan(0);
      expect(runtime.unenforced).toEqual(["disk"]);
    });

    it("rejects a dial to a port that nothing listens on", async () => {
      const network = await runtime.network("answers");
      await expect(network.dial(9999)).rejects.toThrow(/ECONNREFUSED/);
    }, 30_000);

    isolated(
      "keeps the workload from the host's loopback, files, and rights",
      async () => {
        const host = createServer((_, response) => response.end("host"));
        host.listen(0, "127.0.0.1");
        await once(host, "listening");
        const { port } = host.address() as AddressInfo;
        await runtime.start(
          specification("probe", {
            command: ["/usr/local/bin/node", "-e"],
            arguments: [
              `const fs = require("fs"); const attempt = (f) => { try { return f(); } catch (e) { return e.code; } };
             const status = fs.readFileSync("/proc/self/status", "utf8");
             const found = { interfaces: Object.keys(require("os").networkInterfaces()),
               write: attempt(() => fs.writeFileSync("/usr/x", "")), temporary: attempt(() => fs.writeFileSync("/tmp/x", "")),
               files: fs.readdirSync("/"), effective: /CapEff:\\s*(\\S+)/.exec(status)[1],
               noNewPrivileges: /NoNewPrivs:\\s*(\\d)/.exec(status)[1] };
             const report = (http) => { console.log("found " + JSON.stringify({ ...found, http })); setInterval(() => 0, 1000); };
             fetch("http://127.0.0.1:${port}").then(() => report("reached"), (e) => report(e.cause.code));`,
            ],
          }),
        );
        const { line } = await untilLogged(runtime, "probe", /^found /);
        const found = JSON.parse(line.slice("found ".length));
        expect(found).toMatchObject({
          interfaces: ["lo"],
          write: "EROFS",
          // Without privileges there is one id inside, and it is root there: with what images need of root.
          effective: isolation === "sandbox" && process.getuid?.() !== 0 ? "00000000000404fb" : "0000000000000000",
          noNewPrivileges: "1",
          http: "ECONNREFUSED",
        });
        expect(found.temporary).toBeUndefined();
        expect(found.files).not.toContain("work");
        host.close();
        await runtime.remove("probe");
      },
      30_000,
    );

    (isolation === "container" || maker === "bubblewrap" ? it : it.skip)(
      "filters the system calls of workloads, and of commands that are run in them",
      async () => {
        const report = `const status = require("fs").readFileSync("/proc/self/status", "utf8");
          console.log("filter " + /Seccomp:\\s*(\\d)/.exec(status)[1]);`;
        await runtime.start(
          specification("filtered", { command: ["/usr/local/bin/node", "-e", `${report} setInterval(() => 0, 1000)`] }),
        );
        await expect(untilLogged(runtime, "filtered", /^filter /)).resolves.toMatchObject({ line: "filter 2" });
        const execution = await runtime.open("filtered", { command: ["/usr/local/bin/node", "-e", report] });
        expect(await text(execution.stdout)).toBe("filter 2\n");
        await runtime.remove("filtered");
      },
      30_000,
    );

    it("holds the limit on processes and memory where it says that it does", async () => {
      const eat = "const kept = []; setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 5)";
      await runtime.start(
        specification("eats", {
          command: ["/usr/local/bin/node", "-e", eat],
          limits: { ...limits, memory: 96n << 20n },
        }),
      );
      if (!runtime.unenforced.includes("memory")) {
        await until(async () => {
          const { state } = await observed(runtime, "eats");
          return state.phase === "exited" && /memory/.test(state.message);
        });
      }
      await runtime.remove("eats");
    }, 30_000);

    it("ends at once a program that does nothing about SIGTERM", async () => {
      const script = 'console.log("up"); setInterval(() => 0, 1000)';
      await runtime.start(specification("unheeding", { command: ["/usr/local/bin/node", "-e", script] }));
      await untilLogged(runtime, "unheeding", /^up$/);
      const began = Date.now();
      await runtime.remove("unheeding");
      expect(Date.now() - began).toBeLessThan(5_000);
    }, 30_000);

    it("starts again what exits, with growing delays, and tells why it exited", async () => {
      await runtime.start(
        specification("exits", {
          command: ["/usr/local/bin/node", "-e", 'console.error("no such thing"); process.exit(3)'],
        }),
      );
      // What it is between two starts, of which an engine may leave little time.
      let between: ObservedState | undefined;
      await until(async () => {
        const { state } = await observed(runtime, "exits");
        if (state.phase === "exited" && state.restarts >= 2) between = state;
        return between !== undefined;
      });
      expect(between).toMatchObject({ exitCode: 3, message: expect.stringContaining("no such thing") });
      await runtime.remove("exits");
    }, 30_000);

    it("runs on without its agent and is found again, its network too", async () => {
      const before = await observed(runtime, "answers");
      await runtime.close();
      runtime = await open();
      expect(await observed(runtime, "answers")).toEqual(before);
      await expect(get(runtime, "answers", 9000)).resolves.toContain("it's me");
    }, 30_000);

    (isolation === "container" ? it.skip : it)(
      "keeps what the tenant says to its workloads off the disk, and has it again after supervisor and agent were killed",
      async () => {
        const own = join(home, isolation === "none" ? "plain" : isolation);
        const secret = `secret-${Math.random().toString(36).slice(2)}-${process.pid}`;
        const script = 'console.log("knows " + process.env.WORD + " " + process.argv[1]); setInterval(() => 0, 1000)';
        await runtime.start(
          specification("knows", {
            command: ["/usr/local/bin/node", "-e", script],
            arguments: [secret],
            environment: { WORD: secret, GREETING: "it's\nme" },
          }),
        );
        const told = new RegExp(`^knows ${secret} ${secret}$`);
        await untilLogged(runtime, "knows", told);
        // The log is the workload's own.
        const files = readdirSync(home, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && entry.name !== "current")
          .map((entry) => join(entry.parentPath, entry.name))
          // Of the image alone: its programs.
          .filter((file) => statSync(file).size < 4 << 20);
        expect(files.some((file) => file.endsWith("launch.json"))).toBe(true);
        expect(files.filter((file) => readFileSync(file).includes(secret))).toEqual([]);
        await expect(
          runtime.execute(
            "knows",
            ["/usr/local/bin/node", "-e", `process.exit(process.env.WORD === "${secret}" ? 0 : 1)`],
            10_000,
          ),
        ).resolves.toBe(0);
        await runtime.close();
        const [supervisor] = marksOf(own, fileName("knows"));
        if (supervisor === undefined) throw new Error("it has no supervisor");
        process.kill(supervisor.pid, "SIGKILL");
        await until(async () => !isRunning(supervisor));
        runtime = await open();
        await until(async () => {
          let lines = 0;
          for await (const { line } of runtime.logs("knows", { follow: false }, new AbortController().signal)) {
            if (told.test(line)) lines += 1;
          }
          return lines >= 2;
        });
        await runtime.remove("knows");
      },
      30_000,
    );

    it("gives the last lines of the log, follows it, and stops when told", async () => {
      await runtime.start(
        specification("counts", {
          command: ["/usr/local/bin/node", "-e", "let n = 0; setInterval(() => console.log(n++), 50)"],
        }),
      );
      await untilLogged(runtime, "counts", /^5$/);
      const stop = new AbortController();
      const lines: string[] = [];
      for await (const { line } of runtime.logs("counts", { follow: true, tail: 2 }, stop.signal)) {
        lines.push(line);
        if (lines.length === 6) {
          stop.abort();
        }
      }
      const numbers = lines.slice(0, 6).map(Number);
      const [first = 0] = numbers;
      expect(first).toBeGreaterThanOrEqual(4);
      // Podman may leave one out where what follows begins (docs/datacenter.md).
      const spare = name === "container (Podman)" ? 1 : 0;
      expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
      expect((numbers.at(-1) ?? 0) - first).toBeLessThanOrEqual(5 + spare);
      await runtime.remove("counts");
    }, 30_000);

    isolated(
      "keeps a volume over instances",
      async () => {
        const volumes = [{ volume: "lease/data", path: "/var/lib/data", size: 1n << 20n }];
        const write = `require("fs").appendFileSync("/var/lib/data/x", "x"); console.log(require("fs").readFileSync("/var/lib/data/x", "utf8")); setInterval(() => 0, 1000)`;
        for (const expected of [/^x$/, /^xx$/]) {
          await runtime.start(specification("keeps", { volumes, command: ["/usr/local/bin/node", "-e", write] }));
          await untilLogged(runtime, "keeps", expected);
          await runtime.remove("keeps");
        }
        await runtime.removeVolume("lease/data");
      },
      30_000,
    );

    isolated(
      "holds the limit on what is written to temporary folders, and to a volume where it says that it does",
      async () => {
        const volumes = [{ volume: "lease/small", path: "/data", size: 8n << 20n }];
        const fill = `const fs = require("fs");
          const fill = (files) => { let n = 0; try { for (;; n++) fs.appendFileSync(files[n % files.length], Buffer.alloc(1 << 20, 1)); } catch (e) { return [e.code, n]; } };
          const temporary = fill(["/tmp/x", "/var/tmp/x"]);
          console.log("filled " + JSON.stringify({ temporary, data: ${runtime.unenforced.includes("disk")} ? [] : fill(["/data/x"]) }));
          setInterval(() => 0, 1000)`;
        await runtime.start(specification("fills", { volumes, command: ["/usr/local/bin/node", "-e", fill] }));
        const { line } = await untilLogged(runtime, "fills", /^filled /);
        const { temporary, data } = JSON.parse(line.slice("filled ".length));
        expect(temporary[0]).toBe("ENOSPC");
        // Each of a container's temporary folders has the bound for itself.
        expect(temporary[1]).toBeLessThanOrEqual(isolation === "container" ? 33 : 16);
        if (!runtime.unenforced.includes("disk")) {
          expect(data[0]).toBe("ENOSPC");
          expect(data[1]).toBeGreaterThanOrEqual(4);
          expect(data[1]).toBeLessThanOrEqual(8);
        }
        await runtime.remove("fills");
        await runtime.removeVolume("lease/small");
      },
      30_000,
    );

    (isolation === "container" ? it.skip : it)(
      "ends by itself when its folder is gone, as when somebody deletes the agent's home",
      async () => {
        const own = join(home, isolation === "none" ? "plain" : isolation);
        await runtime.start(
          specification("orphan", {
            command: ["/usr/local/bin/node", "-e", 'console.log("up"); setInterval(() => 0, 1000)'],
          }),
        );
        await untilLogged(runtime, "orphan", /^up$/);
        const marks = marksOf(own, fileName("orphan"));
        const groups = [controlGroupName(own, "orphan")];
        expect(marks.every(isRunning)).toBe(true);
        rmSync(join(own, "instances", fileName("orphan")), { recursive: true });
        await until(async () => !marks.some(isRunning) && controlGroupsOf(groups).length === 0);
      },
      30_000,
    );

    it("leaves nothing behind: no file, process, mount, loop device, or control group", async () => {
      const own = join(home, isolation === "none" ? "plain" : isolation);
      const names = isolation === "container" ? [] : readdirSync(join(own, "instances"));
      const marks = names.flatMap((name) => marksOf(own, name));
      expect(marks.every(isRunning)).toBe(true);
      await runtime.remove("answers");
      await runtime.remove("answers");
      expect(await runtime.list()).toEqual([]);
      expect(marks.filter(isRunning)).toEqual([]);
      expect(readFileSync("/proc/mounts", "utf8")).not.toContain(home);
      expect(loopFiles().filter((file) => file.includes(home))).toEqual([]);
      if (isolation === "container") {
        // An engine that maps users keeps volumes itself.
        expect(existsSync(join(own, "volumes")) ? readdirSync(join(own, "volumes")) : []).toEqual([]);
      } else {
        expect(readdirSync(join(own, "instances"))).toEqual([]);
        expect(readdirSync(join(own, "volumes"))).toEqual([]);
        expect(processesNaming(home)).toEqual([]);
        const groups = [...started].map((id) => controlGroupName(own, id));
        expect(controlGroupsOf(groups)).toEqual([]);
      }
    }, 30_000);

    it("says what is missing when an image can't be had", async () => {
      await expect(runtime.pull("127.0.0.1:1/none:1")).rejects.toThrow(/127\.0\.0\.1:1\/none/);
    }, 30_000);
  });
}

const limits = { cpu: 500, memory: 256n << 20n, disk: 16n << 20n, processes: 64 };

const started = new Set<string>();

function specification(id: string, changes: Partial<InstanceSpecification> = {}): InstanceSpecification {
  started.add(id);
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

async function observed(runtime: Runtime, id: string) {
  const found = (await runtime.list()).find((instance) => instance.id === id);
  if (found === undefined) {
    throw new Error(`${id} is not there`);
  }
  return found;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilLogged(runtime: Runtime, id: string, pattern: RegExp) {
  const stop = new AbortController();
  for await (const line of runtime.logs(id, { follow: true }, stop.signal)) {
    if (pattern.test(line.line)) {
      stop.abort();
      return line;
    }
  }
  throw new Error(`${id} ended without logging ${pattern}`);
}

/** The answer to a plain HTTP request, tried until something listens. */
async function get(runtime: Runtime, id: string, port: number): Promise<string> {
  const network = await runtime.network(id);
  let stream: Duplex | undefined;
  await until(async () => {
    stream = await network.dial(port).catch(() => undefined);
    return stream !== undefined;
  });
  if (stream === undefined) {
    throw new Error("unreachable");
  }
  stream.end("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  let text = "";
  for await (const data of stream) {
    text += data;
  }
  return text;
}

/** Processes of an instance, by its folder's name. */
function marksOf(own: string, name: string): ProcessMark[] {
  const state = JSON.parse(readFileSync(join(own, "instances", name, "state.json"), "utf8"));
  return [state.supervisor, state.holder, state.process].filter(Boolean).map((mark) => ProcessMark.parse(mark));
}

/** Folders of control groups with one of these names. */
function controlGroupsOf(names: readonly string[]): string[] {
  const roots = ["", "cpu", "memory", "pids"].map((controller) => join("/sys/fs/cgroup", controller, "dcx"));
  return roots.flatMap((root) => names.map((name) => join(root, name))).filter((folder) => existsSync(folder));
}

/** Files that loop devices are made of now. */
function loopFiles(): string[] {
  return readdirSync("/sys/block")
    .map((name) => join("/sys/block", name, "loop", "backing_file"))
    .flatMap((file) => (existsSync(file) ? [readFileSync(file, "utf8").trim()] : []));
}

function processesNaming(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}
