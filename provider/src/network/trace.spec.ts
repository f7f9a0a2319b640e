import { ModelNetwork } from "./model/model-network";
import { Trace, type TraceLine, union } from "./trace";

test("spans that overlap count once", () => {
  expect(union([])).toEqual([]);
  expect(
    union([
      [5, 7],
      [1, 3],
      [2, 4],
      [4, 4.5],
      [5.5, 6],
    ]),
  ).toEqual([
    [1, 4.5],
    [5, 7],
  ]);
});

test("each operation is told with what it awaited of the network, also beside others", async () => {
  const lines: TraceLine[] = [];
  const trace = Trace.to((line) => lines.push(line));
  const driver = trace.watch(new ModelNetwork());
  const { signal } = new AbortController();
  await Promise.all([
    trace.operation("Read", "urn:a", async () => {
      await Promise.all([driver.parameters(signal), driver.identify(signal)]);
    }),
    trace.operation("Check", "urn:b", async () => {}),
    expect(
      trace.operation("Create", "urn:c", async () => {
        await driver.identify(signal);
        throw new Error("no");
      }),
    ).rejects.toThrow("no"),
  ]);
  const by = Object.fromEntries(lines.map((line) => [line.operation, line]));
  expect(Object.keys(by).sort()).toEqual(["Check", "Create", "Read"]);
  expect(by["Check"]).toMatchObject({ urn: "urn:b", driverMilliseconds: 0, awaited: [] });
  for (const name of ["Read", "Create"]) {
    const line = by[name];
    expect(line?.awaited).toHaveLength(1);
    expect(line?.driverMilliseconds).toBeGreaterThan(0);
    expect(line?.driverMilliseconds).toBeLessThanOrEqual((line?.end ?? 0) - (line?.start ?? 0));
  }
});

test("without DCX_TRACE nothing is traced", () => {
  expect(Trace.of({})).toBeUndefined();
});
