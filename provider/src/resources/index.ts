import type { ProviderConfiguration } from "../configuration/configuration";
import type { TagResolver } from "../images/tag-resolver";
import { configuredDriver } from "../network/configured";
import type { NetworkDriver } from "../network/driver";
import type { Trace } from "../network/trace";
import { DeploymentResource } from "./deployment/deployment";
import { connectionRules } from "./entries/connection";
import { EntryResource } from "./entries/entry-resource";
import { workloadRules } from "./entries/workload";
import { functionsOn, type ResourceFunction } from "./functions";
import type { Resource } from "./resource";
import { Session, type SessionSettings } from "./session";

export interface ResourceSet {
  /** By token, e.g. `dcx:index:Deployment`. */
  readonly resources: ReadonlyMap<string, Resource>;
  /** By token, e.g. `dcx:index:getDeployment`. */
  readonly functions: ReadonlyMap<string, ResourceFunction>;
}

/**
 * The resource types of a configured provider, and the functions that look at the same network. Connects to nothing
 * before one of them is asked something.
 */
export function createResourceSet(
  configuration: ProviderConfiguration,
  environment: NodeJS.ProcessEnv,
  trace?: Trace,
): ResourceSet {
  const settings = { ...configuration, timeout: configuration.timeouts.create, images: lazyTagResolver() };
  return resourcesOn(configuredDriver(configuration, environment), settings, trace);
}

/** Asks registries, by code that is loaded when there is something to ask. */
export function lazyTagResolver(): TagResolver {
  let resolver: Promise<TagResolver> | undefined;
  return {
    async resolve(images, signal) {
      if (images.length === 0) {
        return new Map();
      }
      resolver ??= import("../images/tag-resolver.js").then(({ RegistryTagResolver }) => new RegistryTagResolver());
      return (await resolver).resolve(images, signal);
    },
  };
}

/** The same on any network. All of them share one session with it. */
export function resourcesOn(driver: NetworkDriver, settings: SessionSettings, trace?: Trace): ResourceSet {
  const session = new Session(trace?.watch(driver) ?? driver, settings, trace);
  const resources: readonly Resource[] = [
    new DeploymentResource(session),
    new EntryResource(session, workloadRules),
    new EntryResource(session, connectionRules),
  ];
  return {
    resources: new Map(resources.map((resource) => [resource.token, resource])),
    functions: functionsOn(session),
  };
}
