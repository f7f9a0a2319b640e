import * as dcx from "@dcx/pulumi";

const app = new dcx.Deployment("app", {
  infrastructures: {
    main: {
      region: "us-east",
      persist: true,
      resources: [{ cpu: "250m", memory: "256Mi", disk: "1Gi", maxPrice: "0.25/h" }],
    },
  },
  workloads: {
    api: { infrastructure: "main", container: "dcx.example/two-tier-api:1.0", ports: [9000] },
  },
  connections: {
    public: { to: "api", port: 9000, from: { global: true } },
  },
});

export const url = app.addresses.apply((addresses) => addresses?.["public"]);
