import { z } from "zod";

/** What an instance belongs to, as it is written where the instance is. */
export const InstanceLabels = z.object({
  /** `<tenant>/<sequence>` */
  deployment: z.string(),
  infrastructure: z.string(),
  /** Text id of the lease. */
  lease: z.string(),
  workload: z.string(),
  index: z.number().int(),
});
export type InstanceLabels = Readonly<z.infer<typeof InstanceLabels>>;
