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
  maxCostPerMonth: "600",
});

const api = new dcx.Workload("api", {
  deployment: shop.id,
  name: "api",
  infrastructure: "east",
  container: "dcx.example/two-tier-api:1.0",
  ports: [9000],
});

const web = new dcx.Workload("web", {
  deployment: shop.id,
  name: "web",
  infrastructure: "west",
  container: "dcx.example/two-tier-web:1.0",
  ports: [8080],
  // Answers only when api does: a workload may depend on a connection that is declared after it.
  healthCheck: { http: "/healthz" },
});

new dcx.Connection("web-to-api", {
  deployment: shop.id,
  name: "web-to-api",
  to: api.name,
  port: 9000,
  from: { workload: web.name },
});

const open = new dcx.Connection("public", {
  deployment: shop.id,
  name: "public",
  to: web.name,
  port: 8080,
  from: { global: true },
});

export const deployment = shop.deploymentId;
export const leases = shop.leases;
export const url = open.address;
