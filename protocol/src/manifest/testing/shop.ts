import { ManifestError } from "..";

export const salt = "5a".repeat(32);

/** What a manifest error names; empty where none is thrown. */
export function issuesOf(run: () => unknown): readonly { path: string; message: string }[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ManifestError) {
      return error.issues;
    }
    throw error;
  }
  return [];
}

export const shop = {
  salt,
  infrastructures: ["west", "east"],
  workloads: {
    web: {
      infrastructure: "west",
      container: "ghcr.io/acme/web:1.4",
      count: 2,
      ports: [8080],
      healthCheck: { http: "/healthz" },
    },
    api: { infrastructure: "east", container: { image: "ghcr.io/acme/api:1.4" }, ports: [9000] },
  },
  connections: {
    "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
    public: { to: "web", port: 8080, from: { global: true } },
  },
};
