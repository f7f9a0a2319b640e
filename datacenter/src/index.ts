export {
  ConfigurationError,
  DatacenterConfiguration,
  type DatacenterConfigurationInput,
  parseConfiguration,
  readDatacenterConfiguration,
} from "./configuration";
export { type Datacenter, type DatacenterOptions, startDatacenter } from "./datacenter";
export { purgeDatacenter } from "./purge";
export { openRuntime, type RuntimeOptions } from "./runtime/open";
