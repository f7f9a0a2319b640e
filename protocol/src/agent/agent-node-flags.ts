/**
 * What Node.js is to be started with where it runs an agent. Modules that are loaded let the space of young objects grow to
 * 16 MB, and clearing that holds up all that goes through the agent for some milliseconds, three times a second; and small
 * objects that are soon gone stay in the processor's cache where it is a megabyte. Neither can be set later. What it
 * does for tunnels is in docs/benchmarks.md.
 */
export const agentNodeFlags: readonly string[] = ["--max-semi-space-size=1", "--v8-pool-size=1"];
