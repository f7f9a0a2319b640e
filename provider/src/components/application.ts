import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ApplicationFileError, parseApplicationFile } from "../application-file";
import { deploymentFields } from "../resources/inputs/deployment-shapes";
import { containsUnknown, isList, isMap } from "../resources/inputs/shape";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "../wire/value";
import {
  type Children,
  type Component,
  ComponentError,
  type ComponentRequest,
  type ComponentResult,
  type PropertyDependencies,
} from "./component";

/** What a file says and arguments beside it may not. */
const OF_THE_FILE = ["infrastructures", "workloads", "connections"] as const;
/** Outputs of its deployment that are the application's own. */
const OUTPUTS = ["deploymentId", "version", "addresses", "rawAddresses", "leases"] as const;

export interface ApplicationSettings {
  /** Of the plugin: the one that its deployment needs. */
  readonly version: string;
  /** Text of a file. Rejects as `fs` does. */
  readonly read?: (path: string) => Promise<string>;
}

/** `dcx:index:Application`: one file, or arguments, that say a whole application; one inline `Deployment` as its child. */
export class Application implements Component {
  readonly token = "dcx:index:Application";

  constructor(readonly settings: ApplicationSettings) {}

  async construct(request: ComponentRequest, children: Children): Promise<ComponentResult> {
    const given = Object.fromEntries(Object.entries(request.inputs).filter(([, value]) => value !== null));
    const { inputs, dependencies } = await this.#deployment({ ...request, inputs: given });
    const child = await children.register({
      token: "dcx:index:Deployment",
      name: request.name,
      inputs,
      dependencies: { ...Object.fromEntries(Object.keys(inputs).map((name) => [name, []])), ...dependencies },
    });
    const known = (name: string): Value | undefined =>
      child.failed ? Unknown.instance : (child.outputs[name] ?? (request.preview ? Unknown.instance : undefined));
    const outputs: Record<string, Value> = {
      deployment: new ResourceReference(
        child.urn,
        child.id === "" ? Unknown.instance : child.id,
        this.settings.version,
      ),
    };
    for (const name of OUTPUTS) {
      const value = known(name);
      if (value !== undefined) {
        outputs[name] = value;
      }
    }
    return { outputs, dependencies: [child.urn], unfinished: child.failed };
  }

  async #deployment(request: ComponentRequest): Promise<{ inputs: ValueMap; dependencies: PropertyDependencies }> {
    const { file, text, variables, ...own } = request.inputs;
    const names = ["file", "text", "variables", ...Object.keys(deploymentFields)];
    const strange = Object.keys(own).filter((name) => !names.includes(name));
    if (strange.length > 0) {
      throw new ComponentError(`${strange.join(", ")}: no property of an application; there are ${names.join(", ")}`);
    }
    if (file === undefined && text === undefined) {
      if (own["infrastructures"] === undefined) {
        throw new ComponentError("needs `file`, `text` or `infrastructures`: what it is made of");
      }
      if (variables !== undefined) {
        throw new ComponentError("variables: are those of a file; there is neither `file` nor `text`");
      }
      // Inline also where nothing runs yet.
      return { inputs: { workloads: {}, ...own }, dependencies: request.dependencies };
    }
    if (file !== undefined && text !== undefined) {
      throw new ComponentError("file, text: give one of them");
    }
    const twice = OF_THE_FILE.filter((name) => own[name] !== undefined);
    if (twice.length > 0) {
      throw new ComponentError(`${twice.join(", ")}: said by the file; declare all of it in one way`);
    }
    const said = await this.#said(file, text, request);
    const { file: a = [], text: b = [], variables: c = [], ...others } = request.dependencies;
    const sources = [...new Set([...a, ...b, ...c])];
    return {
      inputs: { ...said, ...own },
      dependencies: { ...Object.fromEntries(Object.keys(said).map((name) => [name, sources])), ...others },
    };
  }

  /** What the file says, as inputs of its deployment. */
  async #said(file: Value | undefined, text: Value | undefined, request: ComponentRequest): Promise<ValueMap> {
    const variables = variableMap(request.inputs["variables"]);
    const source = file ?? text;
    if (containsUnknown(source) || variables instanceof Unknown) {
      return Object.fromEntries(OF_THE_FILE.map((name) => [name, Unknown.instance]));
    }
    const secret = source instanceof Secret;
    const plain = secret ? source.reveal() : source;
    if (typeof plain !== "string") {
      throw new ComponentError(`${file === undefined ? "text" : "file"}: must be text`);
    }
    const name = file === undefined ? "text" : plain;
    try {
      const { inputs } = parseApplicationFile(file === undefined ? plain : await this.#read(plain), {
        file: name,
        variables,
        configured: (variable) => request.configuration[`${request.project}:${variable}`],
      });
      const whole: ValueMap = { workloads: {}, ...inputs };
      return secret && file === undefined ? allSecret(whole) : whole;
    } catch (error) {
      throw error instanceof ApplicationFileError
        ? new ComponentError(messageOf(error, secret && file === undefined))
        : error;
    }
  }

  async #read(file: string): Promise<string> {
    const read = this.settings.read ?? ((path: string) => readFile(path, "utf8"));
    // The engine starts the plugin where the program lies.
    const path = resolve(file);
    try {
      return await read(path);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const why =
        code === "ENOENT"
          ? "is not there; a relative path begins where the program's Pulumi.yaml lies"
          : `can't be read: ${error instanceof Error ? error.message : String(error)}`;
      throw new ComponentError(`file: ${path} ${why}`);
    }
  }
}

/** Messages quote what is written, names of properties too: of a secret text only the places can be told. */
function messageOf({ message, issues }: ApplicationFileError, secret: boolean): string {
  if (!secret) {
    return message;
  }
  const places = issues.map(({ line, column }) => `  text:${line}:${column}`);
  return `text is no application file that can be used; it is secret, so only the places of what is wrong are told:\n${places.join("\n")}`;
}

function variableMap(value: Value | undefined): ValueMap | Unknown {
  if (value === undefined) {
    return {};
  }
  const inner = value instanceof Secret ? value.reveal() : value;
  if (inner instanceof Unknown) {
    return inner;
  }
  if (!isMap(inner)) {
    throw new ComponentError("variables: must be a map of names to values");
  }
  return value instanceof Secret
    ? Object.fromEntries(Object.entries(inner).map(([name, one]) => [name, new Secret(one)]))
    : inner;
}

/** The same with a mark on every single value, for a text that is secret as a whole. */
function allSecret(map: ValueMap): ValueMap {
  const marked = (value: Value): Value => {
    if (isMap(value)) {
      return allSecret(value);
    }
    return isList(value) ? value.map(marked) : value === null || value instanceof Secret ? value : new Secret(value);
  };
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, marked(value)]));
}
