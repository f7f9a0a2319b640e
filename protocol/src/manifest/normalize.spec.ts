import fc from "fast-check";
import { humanConnection, humanWorkload, normalizeConnection, normalizeWorkload } from ".";
import { anyManifest } from "./arbitrary";

describe("normalizing", () => {
  it("turns what people write into integers", () => {
    expect(
      normalizeWorkload({
        infrastructure: "west",
        container: "nginx:1.27",
        compute: { cpu: "0.5", memory: "512Mi", disk: "1Gi", gpu: 1 },
        volumes: { data: { path: "/data", size: "1.5Gi" } },
        healthCheck: { command: ["true"], interval: "5s", timeout: 0.5, retries: 5 },
        environment: { PORT: 8080, DEBUG: true, NAME: "x" },
        ports: ["80"],
      }),
    ).toEqual({
      infrastructure: "west",
      container: { image: "nginx:1.27" },
      compute: { cpu: 500, memory: "536870912", disk: "1073741824", gpu: { count: 1 } },
      volumes: { data: { path: "/data", size: "1610612736" } },
      healthCheck: { command: ["true"], interval: 5000, timeout: 500, retries: 5 },
      environment: { PORT: "8080", DEBUG: "true", NAME: "x" },
      ports: [80],
    });
  });

  it("leaves out what is absent, empty or default", () => {
    const plain = normalizeWorkload({
      infrastructure: "west",
      container: "nginx:1",
      ports: [80, 81],
      healthCheck: { tcp: true },
    });
    const wordy = normalizeWorkload({
      infrastructure: "west",
      container: { image: "nginx:1", credentials: null },
      command: [],
      arguments: [],
      environment: {},
      ports: [80, 81],
      healthCheck: { tcp: true, port: 80, interval: 1, timeout: "2000ms", retries: 3 },
      volumes: {},
      compute: {},
      count: 1,
      egress: [],
      group: null,
    });
    expect(wordy).toEqual(plain);
    expect(Object.keys(wordy).sort()).toEqual(["container", "healthCheck", "infrastructure", "ports"]);
    expect(normalizeConnection({ to: "web", port: 80, from: { global: true, hosts: [] } })).toEqual({
      to: "web",
      port: 80,
      from: { global: true },
    });
  });

  it("is undone by printing for people", () => {
    fc.assert(
      fc.property(anyManifest(), ({ workloads, connections }) => {
        for (const workload of Object.values(workloads)) {
          expect(normalizeWorkload(humanWorkload(workload))).toEqual(workload);
        }
        for (const connection of Object.values(connections)) {
          expect(normalizeConnection(humanConnection(connection))).toEqual(connection);
        }
      }),
      { numRuns: 50 },
    );
  });
});
