import { leadLife } from "./support/life";
import { inline, separate } from "./support/programs";

jest.setTimeout(600_000);

describe.each([
  { form: "inline", program: inline, workload: (name: string) => ["shop", `workloads.${name}`] as const },
  { form: "separate", program: separate, workload: (name: string) => [name, ""] as const },
])("the life of a deployment, $form", leadLife);
