import { leadLife } from "./support/life";
import { inline, separate } from "./support/programs";

jest.setTimeout(600_000);

/** Blocks come sooner than on any embedded network: what is led through here is no matter of time. */
const world = { blockInterval: 200 };

describe.each([
  { form: "inline", program: inline, workload: (name: string) => ["shop", `workloads.${name}`] as const, world },
  { form: "separate", program: separate, workload: (name: string) => [name, ""] as const, world },
])("the life of a deployment, $form", leadLife);
