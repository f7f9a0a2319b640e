import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { isWanted, parseArguments, splitSizes } from "./arguments";
import { createDeploymentUrl, MsgCreateDeployment } from "./chains/akash-deployment";
import { ResidentMemory } from "./engine/resident";
import { awaitedIn, lengthOfUnion } from "./engine/trace";
import { type Figure, notMeasured, type Subject } from "./figure";
import { median, paired, sampleOf, verdictOf } from "./measure";
import { benchmarksPage, rowsOf, withFigures } from "./page";
import { anonymousMegabytesIn, cpuSecondsIn, outputOf, Service } from "./processes";
import { toJson, toTable } from "./report";

const lower = {
  name: "preview of 10 resources",
  unit: "ms",
  against: "the same program on a plugin that does nothing",
  goal: { better: "lower", aim: 1.2, gate: 1.5 },
} as const satisfies Subject;
const higher = { ...lower, name: "throughput", goal: { better: "higher", aim: 3, gate: 2 } } as const satisfies Subject;
const measured = (subject: Subject, ratio: number): Figure => ({
  ...subject,
  outcome: { value: ratio * 100, reference: 100, ratio },
});

describe("a sample", () => {
  it("is the median of values, of references, and of the ratios within the pairs", () => {
    // The machine became ten times slower before the last pair.
    expect(
      sampleOf([
        [20, 10],
        [30, 10],
        [250, 100],
      ]),
    ).toEqual({ value: 30, reference: 10, ratio: 2.5 });
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it("is refused without pairs, and with a reference that gives no ratio", () => {
    expect(() => sampleOf([])).toThrow("median of nothing");
    expect(() => sampleOf([[1, 0]])).toThrow("a reference of 0");
  });

  it("takes value and reference in turn, and drops the pairs of the warm-up", async () => {
    const order: string[] = [];
    let round = 0;
    const sample = await paired(
      { pairs: 2, warmup: 1 },
      () => {
        order.push("value");
        round += 1;
        return round === 1 ? 1_000 : 6;
      },
      async () => {
        order.push("reference");
        return 3;
      },
    );
    expect(order).toEqual(["value", "reference", "value", "reference", "value", "reference"]);
    expect(sample).toEqual({ value: 6, reference: 3, ratio: 2 });
  });

  it("is not changed by a machine whose speed drifts between pairs", () => {
    const speeds = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(speeds, fc.double({ min: 0.1, max: 10, noNaN: true }), (drift, ratio) => {
        expect(sampleOf(drift.map((speed) => [ratio * speed, speed] as const)).ratio).toBeCloseTo(ratio, 9);
      }),
    );
  });
});

describe("a verdict", () => {
  it.each([
    ["lower", 1.2, "aim"],
    ["lower", 1.21, "gate"],
    ["lower", 1.5, "gate"],
    ["lower", 1.51, "missed"],
    ["higher", 3, "aim"],
    ["higher", 2.99, "gate"],
    ["higher", 2, "gate"],
    ["higher", 1.99, "missed"],
  ] as const)("where %s is better, of a ratio of %d: %s", (better, ratio, verdict) => {
    expect(verdictOf(better === "lower" ? lower.goal : higher.goal, ratio)).toBe(verdict);
  });
});

describe("the report", () => {
  it("gives programs all that a row is judged by", () => {
    expect(toJson(measured(lower, 1.3))).toEqual({
      name: "preview of 10 resources",
      value: 130,
      reference: 100,
      ratio: 1.3,
      aim: 1.2,
      gate: 1.5,
      met: true,
      better: "lower",
      unit: "ms",
      against: "the same program on a plugin that does nothing",
    });
    expect(toJson(measured(higher, 1.3)).met).toBe(false);
  });

  it("judges nothing where there is no goal, but for what was not measured", () => {
    const { goal: _, ...read } = lower;
    expect(toJson(measured(read, 9))).toMatchObject({ ratio: 9, aim: null, gate: null, better: null, met: true });
    expect(toJson(notMeasured(read, new Error("no Go"))).met).toBe(false);
    expect(toTable([measured(read, 9)], false)).not.toMatch(/met|missed|≤/);
  });

  it("counts what was not measured as not met, and says why in one line", () => {
    const figure = notMeasured(higher, new Error("no `go` on the PATH to build it with\nand more"));
    expect(toJson(figure)).toMatchObject({
      value: null,
      ratio: null,
      met: false,
      why: expect.stringMatching(/^no `go`/),
    });
    expect(toTable([figure], false)).toContain("not measured: no `go` on the PATH to build it with\n".trim());
    expect(toTable([figure], false)).not.toContain("and more");
  });

  it("shows people aligned columns, with the direction of each goal", () => {
    const table = toTable([measured(lower, 1.1), measured(lower, 1.3), measured(higher, 1)], false);
    const rows = table.split("\n").filter((line) => !line.startsWith("  "));
    expect(rows.map((line) => line.split(/\s{2,}/).slice(3))).toEqual([
      ["ratio", "aim", "gate"],
      ["1.10", "≤ 1.2", "≤ 1.5", "aim met"],
      ["1.30", "≤ 1.2", "≤ 1.5", "gate met"],
      ["1.00", "≥ 3", "≥ 2", "missed"],
    ]);
    expect(table).not.toContain("\x1b");
    expect(toTable([measured(lower, 1.1)], true)).toContain("\x1b");
  });
});

describe("the page of the manual", () => {
  const page = "# Benchmarks\n\n<!-- figures -->\n<!-- end of figures -->\n\nMore.\n";

  it("takes what was measured, in the order of the table, and keeps what was not", () => {
    const first = withFigures(page, [measured(higher, 4)], [lower.name, higher.name], "monday");
    const second = withFigures(first, [measured(lower, 1.1)], [lower.name, higher.name], "tuesday");
    expect(rowsOf(second)).toEqual([
      [lower.name, "110 ms", "100 ms", "1.10", "≤ 1.2", "≤ 1.5", "aim met", "tuesday"],
      [higher.name, "400 ms", "100 ms", "4.00", "≥ 3", "≥ 2", "aim met", "monday"],
    ]);
    expect(second.startsWith("# Benchmarks\n")).toBe(true);
    expect(second.endsWith("\n\nMore.\n")).toBe(true);
    const third = withFigures(second, [measured(lower, 2)], [], "wednesday");
    expect(rowsOf(third).map(([name, , , ratio]) => [name, ratio])).toEqual([
      [lower.name, "2.00"],
      [higher.name, "4.00"],
    ]);
  });

  it("is the one in docs, and a page without a place for figures is told", () => {
    expect(rowsOf(readFileSync(benchmarksPage, "utf8")).every((row) => row.length === 8)).toBe(true);
    expect(() => withFigures("# Benchmarks", [], [], "")).toThrow("no place for figures");
  });
});

describe("the arguments", () => {
  it("name rows by parts of their names, and sizes of programs and of order books apart", () => {
    expect(parseArguments(["--json", "--only", "Preview", "--sizes", "10,1000,1000000"])).toMatchObject({
      json: true,
      strict: false,
      only: ["Preview"],
      sizes: [10, 1_000, 1_000_000],
    });
    expect(splitSizes([10, 1_000, 1_000_000])).toEqual({ resources: [10, 1_000], orders: [1_000_000] });
    expect(splitSizes([])).toEqual({ resources: [10, 100, 1_000], orders: [100_000] });
    expect(isWanted(["Preview"], "preview of 10 resources")).toBe(true);
    expect(isWanted(["create", "node"], "preview of 10 resources")).toBe(false);
    expect(isWanted([], "anything")).toBe(true);
  });

  it.each(["ten", "0", "1.5", "10,"])("refuse sizes of %s", (sizes) => {
    expect(() => parseArguments(["--sizes", sizes])).toThrow("not a whole number above 0");
  });

  it("refuse what they do not know", () => {
    expect(() => parseArguments(["--fast"])).toThrow("--fast");
  });
});

describe("time that is awaited", () => {
  it("counts once where spans overlap", () => {
    expect(lengthOfUnion([])).toBe(0);
    expect(
      lengthOfUnion([
        [10, 20],
        [0, 5],
        [15, 30],
        [16, 17],
      ]),
    ).toBe(25);
  });

  it("is read from what a plugin told of its operations, for one run of it", () => {
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-trace-"));
    try {
      const trace = join(folder, "trace");
      const lines = [
        { awaited: [[90, 110]] },
        { awaited: [] },
        {
          awaited: [
            [105, 120],
            [150, 230],
          ],
        },
      ];
      writeFileSync(trace, lines.map((line) => `${JSON.stringify({ operation: "Create", ...line })}\n`).join(""));
      expect(awaitedIn(trace, [100, 200])).toBe(70);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("never exceeds the whole, and does not depend on the order of the spans", () => {
    const span = fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }));
    fc.assert(
      fc.property(fc.array(span), (spans) => {
        const covered = Array.from({ length: 100 }, (_, moment) =>
          spans.some(([start, end]) => start <= moment && moment < end),
        );
        expect(lengthOfUnion(spans)).toBe(covered.filter(Boolean).length);
        expect(lengthOfUnion(spans.toReversed())).toBe(lengthOfUnion(spans));
      }),
    );
  });
});

describe("the memory of processes", () => {
  it("is what each tells at its end, whoever started it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-memory-"));
    try {
      const memory = ResidentMemory.in(join(folder, "resident"));
      expect(() => memory.most()).toThrow("was it killed");
      const environment = { ...process.env, ...memory.environment };
      await outputOf(process.execPath, ["-e", "0"], environment);
      const least = memory.most();
      await outputOf(process.execPath, ["-e", "Buffer.alloc(100 * 2 ** 20, 1); process.exit(0)"], environment);
      expect(least).toBeGreaterThan(10);
      expect(memory.most()).toBeGreaterThan(least + 90);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the memory that a process holds", () => {
  it("is read without the files that it maps", () => {
    const status = "Name:\tRssAnon: 1 kB\nVmRSS:\t  409600 kB\nRssAnon:\t  204800 kB\nRssFile:\t  204800 kB\n";
    expect(anonymousMegabytesIn(status)).toBe(200);
    expect(() => anonymousMegabytesIn("Name:\tnode\nState:\tZ (zombie)\n")).toThrow("of a process that runs");
  });

  it("grows by what the process allocates", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-held-"));
    const script = `
      process.send("begun");
      let held;
      process.on("message", () => { held = Buffer.alloc(100 * 2 ** 20, 1); process.send("allocated"); });
    `;
    const service = Service.start(process.execPath, ["-e", script], { logFile: join(folder, "log"), messages: "ipc" });
    try {
      await service.nextMessage();
      const before = await service.heldMegabytes();
      expect(await service.ask({})).toBe("allocated");
      expect(await service.heldMegabytes()).toBeGreaterThan(before + 90);
    } finally {
      await service.kill();
      rmSync(folder, { recursive: true });
    }
  });
});

describe("processor time", () => {
  it("is read behind a command that holds anything", () => {
    const fields = ["S", ...Array.from({ length: 10 }, () => "1"), "250", "50", "0", "0"];
    expect(cpuSecondsIn(`42 (node) (x) 9) ${fields.join(" ")}`)).toBe(3);
    expect(() => cpuSecondsIn("nothing")).toThrow("/proc/<pid>/stat");
  });
});

/** The owner's name apart: a node wants a real address there. */
const taken = [
  "0a0f0a0b616b617368316f776e65721007127d0a047765737412150a0012110a06726567696f6e120775732d776573741a5e",
  "0a3c080112070a050a033130301a0d0a0b0a0931333432313737323822170a0764656661756c74120c0a0a31303733373431",
  "3832342a050a030a0130320010011a1c0a0475616b74121431303030303030303030303030303030303030301a20924247af",
  "c1b6cdd73f24270e48847aa843fc7eaeb7f5d809a430a99abb4b9c3a220e0a0475616b7412063530303030302a0b616b6173",
  "68316f776e6572",
].join("");

describe("a deployment of Akash", () => {
  it("is, to the byte, what a node of v0.36.0 has taken", () => {
    expect(createDeploymentUrl).toBe("/akash.deployment.v1beta3.MsgCreateDeployment");
    const bytes = MsgCreateDeployment.encode({ owner: "akash1owner", sequence: 7n }).finish();
    expect(Buffer.from(bytes).toString("hex")).toBe(taken);
  });
});
