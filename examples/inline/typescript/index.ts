import * as dcx from "@dcx/pulumi";

const shop = new dcx.Deployment("shop", {
  infrastructures: {
    west: {
      region: "us-west",
      persist: true,
      resources: [{ cpu: "500m", memory: "256Mi", disk: "1Gi", maxPrice: "0.40/h" }],
    },
    east: {
      region: "us-east",
      persist: true,
      resources: [{ cpu: "250m", memory: "256Mi", disk: "1Gi", maxPrice: "0.25/h" }],
    },
  },
  workloads: {
    api: {
      infrastructure: "east",
      container: "dcx.example/two-tier-api:1.0",
      ports: [9000],
    },
    web: {
      infrastructure: "west",
      container: "dcx.example/two-tier-web:1.0",
      ports: [8080],
      healthCheck: { http: "/healthz" },
    },
  },
  connections: {
    "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
    public: { to: "web", port: 8080, from: { global: true } },
  },
});

export const deployment = shop.deploymentId;
export const version = shop.version;
export const url = shop.addresses.apply((addresses) => addresses?.["public"]);
