import type { LogLine } from "@dcx/protocol";
import type { ObservedInstance } from "../runtime/runtime";
import { readWorkloadLogs } from "./workload-logs";

const instance = (index: number): ObservedInstance => ({
  id: `web-${index}`,
  labels: { deployment: "t/1", infrastructure: "west", lease: "t/1/west/1", workload: "web", index },
  digest: "",
  state: { phase: "running", startedAt: "", restarts: 0 },
  containerId: "",
});

describe("the log of a workload", () => {
  const stop = new AbortController();
  afterAll(() => stop.abort());

  function logsOf(instances: number, lines: number): AsyncIterable<LogLine> {
    const logs = async function* (id: string) {
      for (let line = 0; line < lines; line += 1) yield { time: "", stream: "stdout", line: `${id} ${line}` } as const;
    };
    const all = Array.from({ length: instances }, (_, index) => instance(index));
    return readWorkloadLogs(
      { runtime: { logs }, instances: () => all, subscribe: () => () => undefined },
      { follow: false },
      stop.signal,
    );
  }

  it("has every line of every instance, however many wait for its reader at once", async () => {
    const lines: string[] = [];
    for await (const { line } of logsOf(3, 2_500)) {
      lines.push(line);
      // A reader who is slower than the instances' logs are read.
      if (lines.length % 500 === 0) await new Promise(setImmediate);
    }
    expect(lines).toHaveLength(7_500);
    for (const index of [0, 1, 2]) {
      const own = lines.filter((line) => line.startsWith(`web-${index} `));
      expect(own).toEqual(Array.from({ length: 2_500 }, (_, line) => `web-${index} ${line}`));
    }
  });
});
