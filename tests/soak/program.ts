import type { Program } from "../support/stack";

/** The entries of the program's deployment. */
export const entries = ["w1", "w2", "w3", "w4", "c1", "c2", "c3", "c4", "c5"];

/** Ten resources: a deployment, four workloads, five connections. Each version changes one of each kind. */
export function tenResources(version: number): Program {
  const group = { cpu: "100m", memory: "128Mi", disk: "128Mi", count: 2, maxPrice: `0.${40 + (version % 10)}/h` };
  const workload = (name: string, infrastructure: string, greeting: string): Record<string, unknown> => ({
    type: "dcx:Workload",
    properties: {
      deployment: "${shop.id}",
      name,
      infrastructure,
      container: "dcx.example/two-tier-api:1.0",
      ports: [portOf(name)],
      environment: { GREETING: greeting, PORT: String(portOf(name)) },
    },
  });
  const connection = (name: string, to: string, from: Record<string, unknown>): Record<string, unknown> => ({
    type: "dcx:Connection",
    properties: { deployment: "${shop.id}", name, to: `\${${to}.name}`, port: portOf(to), from },
  });
  const between = (name: string, to: string, from: string): Record<string, unknown> =>
    connection(name, to, { workload: `\${${from}.name}` });
  return {
    resources: {
      shop: {
        type: "dcx:Deployment",
        properties: {
          infrastructures: {
            west: { region: "us-west", persist: true, resources: [group] },
            east: { region: "us-east", persist: true, resources: [group] },
          },
        },
      },
      w1: workload("w1", "west", `version ${version}`),
      w2: workload("w2", "east", "the same in all versions"),
      w3: workload("w3", "west", "the same in all versions"),
      w4: workload("w4", "east", "the same in all versions"),
      c1: connection("c1", "w1", { global: true }),
      c2: between("c2", "w2", "w1"),
      c3: between("c3", "w3", "w2"),
      c4: between("c4", "w4", "w3"),
      c5: between("c5", version % 2 === 0 ? "w1" : "w2", "w4"),
    },
  };
}

/** Of each workload another: none can be a connection's target and source on the same port. */
function portOf(workload: string): number {
  return 9000 + Number(workload.slice(1));
}
