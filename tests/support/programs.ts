import { z } from "zod";
import type { Program } from "./stack";

/** The two-tier application of the examples, with what a test wants to vary. */
export interface TwoTier {
  readonly apiImage?: string;
  readonly apiEnvironment?: Readonly<Record<string, unknown>>;
  readonly webCount?: number;
  readonly westRegion?: string;
  readonly westPrice?: string;
  readonly westSlots?: number;
  readonly eastRegion?: string;
  readonly eastMemory?: string;
}

const infrastructures = (options: TwoTier): Record<string, unknown> => ({
  west: {
    region: options.westRegion ?? "us-west",
    persist: true,
    resources: [
      {
        cpu: "100m",
        memory: "128Mi",
        disk: "256Mi",
        count: options.westSlots ?? 2,
        maxPrice: options.westPrice ?? "0.40/h",
      },
    ],
  },
  east: {
    region: options.eastRegion ?? "us-east",
    persist: true,
    resources: [{ cpu: "100m", memory: options.eastMemory ?? "128Mi", disk: "256Mi", maxPrice: "0.25/h" }],
  },
});

const api = (options: TwoTier): Record<string, unknown> => ({
  infrastructure: "east",
  container: options.apiImage ?? "dcx.example/two-tier-api:1.0",
  ports: [9000],
  ...(options.apiEnvironment === undefined ? {} : { environment: options.apiEnvironment }),
});

const web = (options: TwoTier): Record<string, unknown> => ({
  infrastructure: "west",
  container: "dcx.example/two-tier-web:1.0",
  ports: [8080],
  healthCheck: { http: "/healthz" },
  ...(options.webCount === undefined ? {} : { count: options.webCount }),
});

/** @param reference how a workload's name is written: inline as it is, else as an output, so that it is made first */
const connections = (reference: (workload: string) => string) => ({
  "web-to-api": { to: reference("api"), port: 9000, from: { workload: reference("web") } },
  public: { to: reference("web"), port: 8080, from: { global: true } },
});

/** One Deployment with everything in it. */
export function inline(options: TwoTier = {}): Program {
  return {
    resources: {
      shop: {
        type: "dcx:Deployment",
        properties: {
          infrastructures: infrastructures(options),
          workloads: { api: api(options), web: web(options) },
          connections: connections((workload) => workload),
        },
      },
    },
    outputs: { deployment: "${shop.deploymentId}", leases: "${shop.leases}", url: '${shop.addresses["public"]}' },
  };
}

/** The same with a resource for each workload and each connection. */
export function separate(options: TwoTier = {}): Program {
  const part = (type: string, name: string, properties: Record<string, unknown>): Record<string, unknown> => ({
    type: `dcx:${type}`,
    properties: { deployment: "${shop.id}", name, ...properties },
  });
  const { "web-to-api": webToApi, public: open } = connections((workload) => `\${${workload}.name}`);
  return {
    resources: {
      shop: { type: "dcx:Deployment", properties: { infrastructures: infrastructures(options) } },
      api: part("Workload", "api", api(options)),
      web: part("Workload", "web", web(options)),
      webToApi: part("Connection", "web-to-api", webToApi),
      public: part("Connection", "public", open),
    },
    outputs: { deployment: "${shop.deploymentId}", leases: "${shop.leases}", url: "${public.address}" },
  };
}

/** The smallest: one infrastructure, one inline workload, one global connection. */
export function thin(): Program {
  return {
    resources: {
      hello: {
        type: "dcx:Deployment",
        properties: {
          infrastructures: {
            main: {
              region: "us-east",
              resources: [{ cpu: "100m", memory: "128Mi", disk: "256Mi", maxPrice: "0.25/h" }],
            },
          },
          workloads: { api: { infrastructure: "main", container: "dcx.example/two-tier-api:1.0", ports: [9000] } },
          connections: { public: { to: "api", port: 9000, from: { global: true } } },
        },
      },
    },
    outputs: { deployment: "${hello.deploymentId}", url: '${hello.addresses["public"]}' },
  };
}

const Deployments = z.record(
  z.string(),
  z.looseObject({
    properties: z.looseObject({
      infrastructures: z.record(z.string(), z.looseObject({ resources: z.array(z.looseObject({})) })).optional(),
    }),
  }),
);

/** The same program, with so many tokens of collateral asked for by each resource group of one infrastructure. */
export function withCollateral(program: Program, deployment: string, infrastructure: string, tokens: string): Program {
  const resources = Deployments.parse(program.resources);
  for (const group of resources[deployment]?.properties.infrastructures?.[infrastructure]?.resources ?? []) {
    group["collateral"] = tokens;
  }
  return { ...program, resources };
}
