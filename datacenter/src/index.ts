export { type CheckFinding, checkDatacenter } from "./check";
export {
  ConfigurationError,
  DatacenterConfiguration,
  type DatacenterConfigurationInput,
  datacenterConfigurationSchema,
  parseConfiguration,
  readDatacenterConfiguration,
} from "./configuration";
export { ControlClient, NoAgent } from "./control/client";
export type { ControlStatus } from "./control/protocol";
export { type Datacenter, type DatacenterOptions, startDatacenter } from "./datacenter";
export { purgeDatacenter } from "./purge";
export { openRuntime, type RuntimeOptions } from "./runtime/open";
