import type { NetworkDriver } from "../network/driver";
import { DeploymentResource } from "./deployment/deployment";
import type { Resource } from "./resource";
import { Session, type SessionSettings } from "./session";

/** The resource types of one configured provider, by token. They share one session with the network. */
export function resourcesOn(driver: NetworkDriver, settings: SessionSettings): ReadonlyMap<string, Resource> {
  const session = new Session(driver, settings);
  const resources: readonly Resource[] = [new DeploymentResource(session)];
  return new Map(resources.map((resource) => [resource.token, resource]));
}
