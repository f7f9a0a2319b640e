import fc from "fast-check";
import type { Manifest, ManifestConnection, ManifestWorkload } from "./types";

/** For property tests: manifests that are valid, compact and complete. */
export function anyManifest(): fc.Arbitrary<Manifest> {
  return fc
    .record({
      salt: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex")),
      workloads: fc.dictionary(name, anyWorkload(), { maxKeys: 5, noNullPrototype: true }),
      choices: fc.array(fc.tuple(name, fc.nat(), fc.nat(), source), { maxLength: 6 }),
    })
    .map(({ salt, workloads, choices }) => ({
      schema: 1,
      salt,
      workloads,
      connections: connectionsAmong(workloads, choices),
    }));
}

const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,8}[a-z0-9])?$/);
const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((value) => !value.includes("\0"));
const words = fc.array(text, { minLength: 1, maxLength: 3 });
const port = fc.integer({ min: 1, max: 65_535 });
const ports = fc.uniqueArray(port, { minLength: 1, maxLength: 3 });
const bytes = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(String);
const source = fc.constantFrom("workload", "infrastructure", "global");

/** A record some of whose keys are not there. */
function partly<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(model, { requiredKeys: [], noNullPrototype: true });
}

function anyWorkload(): fc.Arbitrary<ManifestWorkload> {
  return fc
    .tuple(
      fc.record({
        infrastructure: fc.constantFrom("west", "east"),
        container: fc.record({
          image: fc.constantFrom("nginx:1", "ghcr.io/acme/web:1.4", `a@sha256:${"0".repeat(64)}`),
        }),
      }),
      partly({
        command: words,
        arguments: words,
        environment: fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/), text, {
          minKeys: 1,
          maxKeys: 3,
          noNullPrototype: true,
        }),
        ports,
        healthCheck: fc.record({ command: words }),
        volumes: fc.record({ data: fc.record({ path: fc.constant("/data"), size: bytes }) }),
        compute: fc.oneof(
          fc.record({ cpu: fc.integer({ min: 1, max: 64_000 }) }),
          fc.record({ memory: bytes, disk: bytes }),
        ),
        group: fc.integer({ min: 0, max: 5 }),
        count: fc.integer({ min: 2, max: 9 }),
        egress: fc.constant([{ to: "internet" as const, addresses: ["203.0.113.0/24"], ports: [443] }]),
      }),
    )
    .map(([required, optional]) => ({ ...required, ...optional }));
}

function connectionsAmong(
  workloads: Readonly<Record<string, ManifestWorkload>>,
  choices: readonly (readonly [string, number, number, "workload" | "infrastructure" | "global"])[],
): Record<string, ManifestConnection> {
  const names = Object.keys(workloads);
  const targets = Object.entries(workloads).flatMap(([to, workload]) =>
    (workload.ports ?? []).map((p) => ({ to, port: p })),
  );
  const connections = new Map<string, ManifestConnection>();
  const opened = new Set<string>();
  for (const [connection, targetIndex, sourceIndex, kind] of choices) {
    const target = targets[targetIndex % targets.length];
    const workload = names[sourceIndex % names.length];
    if (target === undefined || workload === undefined) {
      continue;
    }
    const from = {
      workload: { workload },
      infrastructure: { infrastructure: "west" },
      global: { global: true as const },
    }[kind];
    const opens = JSON.stringify([target, from]);
    if (!opened.has(opens) && !connections.has(connection)) {
      opened.add(opens);
      connections.set(connection, { ...target, from });
    }
  }
  return Object.fromEntries(connections);
}
