import { status } from "@grpc/grpc-js";
import { type ConstructRequest, ConstructResponse } from "@pulumi/pulumi/proto/provider_pb";
import { RegisterResourceRequest, Result } from "@pulumi/pulumi/proto/resource_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import {
  type Child,
  type Children,
  type Component,
  ComponentError,
  type ComponentRequest,
  type PropertyDependencies,
} from "../components/component";
import type { CallContext } from "../resources/resource";
import { decode, encode } from "../wire/codec";
import { Secret, type Value, type ValueMap } from "../wire/value";
import { RequestError } from "./errors";
import { MonitorShutDown, ResourceMonitor } from "./resource-monitor";

/**
 * Construct: the component itself is registered with every option that the program gave it, then it registers its
 * children, then its outputs. By the monitor's own protocol and not by Pulumi's SDK: that keeps what belongs to one
 * Construct in one object, where the SDK has globals, and costs no second to load.
 * @param self how the engine calls this provider: what makes the component makes its children too
 */
export async function construct(
  components: ReadonlyMap<string, Component>,
  self: string,
  request: ConstructRequest,
  { signal }: CallContext,
): Promise<ConstructResponse> {
  const component = components.get(request.getType());
  if (component === undefined) {
    const known = [...components.keys()].join(", ");
    throw new RequestError(
      status.UNIMPLEMENTED,
      `this version of the dcx plugin has no component ${request.getType()}; it has ${known}`,
    );
  }
  using monitor = new ResourceMonitor(request.getMonitorendpoint());
  let urn = "";
  const children: Children = {
    register: async (child) => {
      const response = await monitor.register(childRegistration(request, self, urn, child), signal);
      return {
        urn: response.getUrn(),
        id: response.getId(),
        outputs: decode(response.getObject() ?? new Struct()),
        failed: response.getResult() !== Result.SUCCESS,
      };
    },
  };
  try {
    urn = (await monitor.register(componentRegistration(request), signal)).getUrn();
    const { outputs, dependencies, unfinished } = await component.construct(asked(request), children);
    if (!unfinished) {
      await monitor.registerOutputs(urn, outputs, signal);
    }
    return constructed(urn, outputs, dependencies);
  } catch (error) {
    if (error instanceof MonitorShutDown || signal.aborted) {
      // The engine prints what it gets as one more error, and worse where it gets none.
      throw new RequestError(
        status.CANCELLED,
        "the engine stopped before all of it was done: because a resource failed, which is said there, or because it was cancelled",
      );
    }
    throw error instanceof ComponentError ? new RequestError(status.INVALID_ARGUMENT, error.message) : error;
  }
}

function asked(request: ConstructRequest): ComponentRequest {
  return {
    name: request.getName(),
    inputs: decode(request.getInputs() ?? new Struct()),
    dependencies: inputDependencies(request),
    configuration: configurationOf(request),
    project: request.getProject(),
    preview: request.getDryrun(),
  };
}

function constructed(urn: string, outputs: ValueMap, dependencies: readonly string[]): ConstructResponse {
  const response = new ConstructResponse();
  response.setUrn(urn);
  response.setState(encode(outputs));
  for (const output of Object.keys(outputs)) {
    const urns = new ConstructResponse.PropertyDependencies();
    urns.setUrnsList([...dependencies]);
    response.getStatedependenciesMap().set(output, urns);
  }
  return response;
}

function componentRegistration(request: ConstructRequest): RegisterResourceRequest {
  const registration = commonRegistration(request);
  registration.setType(request.getType());
  registration.setName(request.getName());
  registration.setParent(request.getParent());
  registration.setCustom(false);
  registration.setObject(request.getInputs());
  setDependencies(registration, inputDependencies(request), request.getDependenciesList());
  for (const [name, provider] of request.getProvidersMap().entries()) {
    registration.getProvidersMap().set(name, provider);
  }
  registration.setAliasesList(request.getAliasesList());
  const hooks = request.getResourceHooks();
  if (hooks !== undefined) {
    const binding = new RegisterResourceRequest.ResourceHooksBinding();
    binding.setBeforeCreateList(hooks.getBeforeCreateList());
    binding.setAfterCreateList(hooks.getAfterCreateList());
    binding.setBeforeUpdateList(hooks.getBeforeUpdateList());
    binding.setAfterUpdateList(hooks.getAfterUpdateList());
    binding.setBeforeDeleteList(hooks.getBeforeDeleteList());
    binding.setAfterDeleteList(hooks.getAfterDeleteList());
    binding.setOnErrorList(hooks.getOnErrorList());
    registration.setHooks(binding);
  }
  return registration;
}

/** Aliases of a child follow from its component's; so do transforms: the engine knows both. */
function childRegistration(
  request: ConstructRequest,
  self: string,
  parent: string,
  child: Child,
): RegisterResourceRequest {
  const registration = commonRegistration(request);
  registration.setType(child.token);
  registration.setName(child.name);
  registration.setParent(parent);
  registration.setCustom(true);
  registration.setObject(encode(child.inputs));
  setDependencies(registration, child.dependencies, request.getDependenciesList());
  registration.setProvider(request.getProvidersMap().get(packageOf(child.token)) ?? self);
  return registration;
}

/** What holds for the component and for what it makes alike: one that can't be deleted has no part that can. */
function commonRegistration(request: ConstructRequest): RegisterResourceRequest {
  const registration = new RegisterResourceRequest();
  registration.setAcceptsecrets(true);
  registration.setAcceptresources(true);
  registration.setSupportspartialvalues(true);
  registration.setSupportsresultreporting(true);
  registration.setAliasspecs(true);
  registration.setParentstacktracehandle(request.getStackTraceHandle());
  const protect = request.getProtect();
  if (request.hasProtect() && protect !== undefined) {
    registration.setProtect(protect);
  }
  const retain = request.getRetainondelete();
  if (request.hasRetainondelete() && retain !== undefined) {
    registration.setRetainondelete(retain);
  }
  const deleteFirst = request.getDeletebeforereplace();
  if (request.hasDeletebeforereplace() && deleteFirst !== undefined) {
    registration.setDeletebeforereplacedefined(true);
    registration.setDeletebeforereplace(deleteFirst);
  }
  registration.setDeletedwith(request.getDeletedwith());
  registration.setReplaceWithList(request.getReplaceWithList());
  registration.setReplacementTrigger(request.getReplacementTrigger());
  registration.setIgnorechangesList(request.getIgnorechangesList());
  registration.setReplaceonchangesList(request.getReplaceonchangesList());
  registration.setAdditionalsecretoutputsList(request.getAdditionalsecretoutputsList());
  const given = request.getCustomtimeouts();
  if (given !== undefined) {
    const timeouts = new RegisterResourceRequest.CustomTimeouts();
    timeouts.setCreate(given.getCreate());
    timeouts.setUpdate(given.getUpdate());
    timeouts.setDelete(given.getDelete());
    timeouts.setRead(given.getRead());
    registration.setCustomtimeouts(timeouts);
  }
  return registration;
}

function setDependencies(
  registration: RegisterResourceRequest,
  byProperty: PropertyDependencies,
  explicit: readonly string[],
): void {
  for (const [property, urns] of Object.entries(byProperty)) {
    const dependencies = new RegisterResourceRequest.PropertyDependencies();
    dependencies.setUrnsList([...urns]);
    registration.getPropertydependenciesMap().set(property, dependencies);
  }
  registration.setDependenciesList([...new Set([...explicit, ...Object.values(byProperty).flat()])]);
}

function inputDependencies(request: ConstructRequest): PropertyDependencies {
  return Object.fromEntries(
    [...request.getInputdependenciesMap().entries()].map(([property, urns]) => [property, urns.getUrnsList()]),
  );
}

function configurationOf(request: ConstructRequest): Readonly<Record<string, Value>> {
  const secret = new Set(request.getConfigsecretkeysList());
  return Object.fromEntries(
    [...request.getConfigMap().entries()].map(([key, value]) => [key, secret.has(key) ? new Secret(value) : value]),
  );
}

function packageOf(token: string): string {
  return token.split(":")[0] ?? token;
}
