import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { inNode, limits, observed, specification, until, untilLogged } from "../testing/instances";
import { describeOffers } from "../testing/offers";

describeOffers(({ name, isolation, maker, isolated, runtime }) => {
  (name.includes("users mapped") ? it : it.skip)("makes root inside nobody outside", async () => {
    const read = 'process.stdout.write(require("fs").readFileSync("/proc/self/uid_map", "utf8"))';
    await runtime().start(specification("mapped", { command: inNode("setInterval(() => 0, 1000)") }));
    const execution = await runtime().open("mapped", { command: inNode(read) });
    const [inside, outside] = (await text(execution.stdout)).trim().split(/\s+/);
    expect(inside).toBe("0");
    expect(Number(outside)).toBeGreaterThan(0);
    expect(runtime().unenforced).toEqual(["disk"]);
    await runtime().remove("mapped");
  });

  isolated("keeps the workload from the host's loopback, files, and rights", async () => {
    const host = createServer((_, response) => response.end("host"));
    host.listen(0, "127.0.0.1");
    await once(host, "listening");
    const { port } = host.address() as AddressInfo;
    await runtime().start(
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
    const { line } = await untilLogged(runtime(), "probe", /^found /);
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
    await runtime().remove("probe");
  });

  (isolation === "container" || maker === "bubblewrap" ? it : it.skip)(
    "filters the system calls of workloads, and of commands that are run in them",
    async () => {
      const report = `const status = require("fs").readFileSync("/proc/self/status", "utf8");
        console.log("filter " + /Seccomp:\\s*(\\d)/.exec(status)[1]);`;
      await runtime().start(specification("filtered", { command: inNode(`${report} setInterval(() => 0, 1000)`) }));
      await expect(untilLogged(runtime(), "filtered", /^filter /)).resolves.toMatchObject({ line: "filter 2" });
      const execution = await runtime().open("filtered", { command: inNode(report) });
      expect(await text(execution.stdout)).toBe("filter 2\n");
      await runtime().remove("filtered");
    },
  );

  it("holds the limit on processes and memory where it says that it does", async () => {
    const eat = "const kept = []; setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 5)";
    await runtime().start(
      specification("eats", {
        command: inNode(eat),
        limits: { ...limits, memory: 96n << 20n },
      }),
    );
    if (!runtime().unenforced.includes("memory")) {
      await until(async () => {
        const { state } = await observed(runtime(), "eats");
        return state.phase === "exited" && /memory/.test(state.message);
      });
    }
    await runtime().remove("eats");
  });

  isolated(
    "holds the limit on what is written to temporary folders, and to a volume where it says that it does",
    async () => {
      const volumes = [{ volume: "lease/small", path: "/data", size: 8n << 20n }];
      const fill = `const fs = require("fs");
        const fill = (files) => { let n = 0; try { for (;; n++) fs.appendFileSync(files[n % files.length], Buffer.alloc(1 << 20, 1)); } catch (e) { return [e.code, n]; } };
        const temporary = fill(["/tmp/x", "/var/tmp/x"]);
        console.log("filled " + JSON.stringify({ temporary, data: ${runtime().unenforced.includes("disk")} ? [] : fill(["/data/x"]) }));
        setInterval(() => 0, 1000)`;
      await runtime().start(specification("fills", { volumes, command: inNode(fill) }));
      const { line } = await untilLogged(runtime(), "fills", /^filled /);
      const { temporary, data } = JSON.parse(line.slice("filled ".length));
      expect(temporary[0]).toBe("ENOSPC");
      // Each of a container's temporary folders has the bound for itself.
      expect(temporary[1]).toBeLessThanOrEqual(isolation === "container" ? 33 : 16);
      if (!runtime().unenforced.includes("disk")) {
        expect(data[0]).toBe("ENOSPC");
        expect(data[1]).toBeGreaterThanOrEqual(4);
        expect(data[1]).toBeLessThanOrEqual(8);
      }
      await runtime().remove("fills");
      await runtime().removeVolume("lease/small");
    },
  );
});
