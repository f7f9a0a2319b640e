export {
  ConfigurationError,
  DatacenterConfiguration,
  type DatacenterConfigurationInput,
  parseConfiguration,
  readConfiguration,
} from "./configuration";
export { type Datacenter, type DatacenterOptions, startDatacenter } from "./datacenter";
