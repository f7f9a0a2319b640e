import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { controlGroupName } from "../sandbox/sandbox";
import { inNode, observed, startAnswering, until } from "../testing/instances";
import { describeOffers } from "../testing/offers";

describeOffers(({ isolation, own, runtime }) => {
  beforeAll(() => startAnswering(runtime(), "answers"));

  it("runs a command inside and gives its exit code", async () => {
    await expect(runtime().execute("answers", inNode("process.exit(7)"), 10_000)).resolves.toBe(7);
    const asks =
      'fetch("http://" + (process.env.DCX_BIND_ADDRESS ?? "127.0.0.1") + ":9000").then((r) => process.exit(r.status === 200 ? 0 : 1))';
    await expect(runtime().execute("answers", inNode(asks), 10_000)).resolves.toBe(0);
    const began = Date.now();
    await expect(runtime().execute("answers", inNode("setInterval(() => 0, 1000)"), 500)).resolves.not.toBe(0);
    expect(Date.now() - began).toBeLessThan(8_000);
  });

  it("runs a command that reads what it is sent, tells both outputs apart, and gives its exit code", async () => {
    const script = `process.stdin.on("data", (d) => process.stdout.write("heard " + d)).on("end", () => { console.error("over"); process.exit(3); })`;
    const execution = await runtime().open("answers", { command: inNode(script) });
    execution.stdin.write("a word");
    const heard = String((await once(execution.stdout, "data"))[0]);
    execution.stdin.end();
    const [out, error, code] = await Promise.all([
      text(execution.stdout),
      text(execution.stderr ?? Readable.from([])),
      execution.exited,
    ]);
    expect({ out: heard + out, error: error.trim(), code }).toEqual({ out: "heard a word", error: "over", code: 3 });
  });

  it("carries more than any buffer holds, both ways", async () => {
    const execution = await runtime().open("answers", {
      command: inNode("process.stdin.pipe(process.stdout)"),
    });
    const sent = Buffer.alloc(3 << 20, "0123456789");
    execution.stdin.end(sent);
    const [got, code] = await Promise.all([buffer(execution.stdout), execution.exited]);
    expect(code).toBe(0);
    expect(got.equals(sent)).toBe(true);
  });

  it("gives a command a terminal of the size that it is told", async () => {
    // Some engines take the size a moment after the start: then it comes as a change.
    const script = `const say = () => console.log("size " + process.stdout.isTTY + " " + process.stdin.isTTY + " " + process.stdout.getWindowSize() + " " + process.env.TERM);
      process.stdout.on("resize", () => { say(); if (process.stdout.getWindowSize()[0] === 92) process.exit(5); }); say();
      setInterval(() => 0, 1000)`;
    const execution = await runtime().open("answers", {
      command: inNode(script),
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
  });

  it("ends a command when told, and says when one can't be run", async () => {
    const endless = await runtime().open("answers", {
      command: inNode('console.log("up"); setInterval(() => 0, 1000)'),
    });
    await once(endless.stdout, "data");
    endless.kill();
    await expect(endless.exited).resolves.toBeGreaterThan(0);
    const missing = runtime()
      .open("answers", { command: ["/no/such/program"] })
      .then(({ exited }) => exited);
    await expect(missing.catch(() => 127)).resolves.toBeGreaterThan(0);
  });

  it("holds such a command to the instance's limits where it says that it does", async () => {
    if (isolation === "none") return;
    const read = 'process.stdout.write(require("fs").readFileSync("/proc/self/cgroup", "utf8"))';
    const execution = await runtime().open("answers", { command: inNode(read) });
    const ofCommand = await text(execution.stdout);
    if (isolation === "sandbox" && !runtime().unenforced.includes("memory")) {
      expect(ofCommand).toContain(controlGroupName(own, "answers"));
    }
    const eat = "const kept = []; setInterval(() => kept.push(Buffer.alloc(16 << 20, 1)), 5)";
    const eating = await runtime().open("answers", { command: inNode(eat) });
    if (runtime().unenforced.includes("memory")) eating.kill();
    await expect(eating.exited).resolves.toBe(137);
    await until(async () => (await observed(runtime(), "answers")).state.phase === "running");
  });
});
