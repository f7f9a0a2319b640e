import { Application } from "../../application";
import { StateDatabase } from "../../storage";
import { BlockStore } from "../block-store";

type Method = (...given: never[]) => unknown;

/** What a block does that lasts, and what comes before it. */
const steps: Readonly<Record<string, { readonly of: object; readonly method: string; readonly embedded?: true }>> = {
  prepare: { of: Application.prototype, method: "prepareProposal" },
  execute: { of: Application.prototype, method: "finalizeBlock" },
  store: { of: BlockStore.prototype, method: "save", embedded: true },
  state: { of: StateDatabase.prototype, method: "commit" },
  write: { of: StateDatabase.prototype, method: "put" },
  settle: { of: StateDatabase.prototype, method: "settle", embedded: true },
  commit: { of: Application.prototype, method: "commit" },
};

/** Names of the points at which a node can be killed, for one with the embedded engine or with one of its own. */
export function crashPoints(engine: "embedded" | "distributed"): readonly string[] {
  return Object.entries(steps)
    .filter(([, { embedded = false }]) => engine === "embedded" || !embedded)
    .flatMap(([step]) => [`before ${step}`, `after ${step}`]);
}

/** Ends this process without a warning at the `count`-th time that it comes to a point. @throws for a point of no such name */
export function dieAt(point: string, count: number): void {
  const [when, name = ""] = point.split(" ");
  const step = steps[name];
  if (step === undefined || (when !== "before" && when !== "after")) throw new Error(`there is no point ${point}`);
  const holder = step.of as Record<string, Method>;
  const real = holder[step.method];
  if (real === undefined) throw new Error(`there is no method ${step.method}`);
  let passed = 0;
  const pass = (at: "before" | "after") => {
    if (when === at && ++passed === count) process.kill(process.pid, "SIGKILL");
  };
  holder[step.method] = function (this: unknown, ...given: never[]): unknown {
    pass("before");
    const result = real.apply(this, given);
    pass("after");
    return result;
  };
}
