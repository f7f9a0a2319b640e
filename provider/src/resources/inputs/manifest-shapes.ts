import { entryName, imageName, normalCpu, normalDuration, normalSize } from "./quantities";
import {
  anyText,
  choice,
  type Field,
  flag,
  integer,
  isMap,
  list,
  map,
  normalizeFields,
  object,
  quantity,
  type Shape,
  set,
  shape,
  text,
} from "./shape";

/** The fields of a workload and of a connection as a person writes them, inline and as resources of their own. */

const port = integer({ least: 1, most: 65535 });

const name: Shape = text((value) => {
  entryName(value);
  return value;
});

const duration: Shape = quantity(normalDuration);

export const gpu: Shape = shape((value, path, problems) => {
  const spelled = typeof value === "number" || typeof value === "string" ? { count: value } : value;
  return gpuFields.normalize(spelled, path, problems);
});

const gpuFields = object({
  count: { shape: integer({ least: 1, most: 1024 }), required: true },
  vendor: { shape: anyText },
  model: { shape: anyText },
});

const containerFields: Readonly<Record<string, Field>> = {
  image: { shape: text(imageName), required: true },
  credentials: {
    shape: object({ username: { shape: anyText, required: true }, password: { shape: anyText, required: true } }),
  },
};

/** An image, or an object with its credentials; without credentials both mean the same and become the image. */
const container: Shape = shape((value, path, problems) => {
  if (!isMap(value)) {
    return text(imageName).normalize(value, path, problems);
  }
  const normal = normalizeFields(value, containerFields, path, problems);
  return normal["credentials"] === undefined ? normal["image"] : normal;
});

/** Text becomes the words that a shell would make of it only where a list says which: text is one word. */
const words: Shape = shape((value, path, problems) =>
  list(anyText).normalize(typeof value === "string" ? [value] : value, path, problems),
);

const healthCheck: Shape = object(
  {
    http: {
      shape: text((path) => {
        if (!path.startsWith("/")) {
          throw new Error('must be a path that begins with "/"');
        }
        return path;
      }),
    },
    tcp: { shape: flag, absent: false },
    command: { shape: words },
    port: { shape: port },
    interval: { shape: duration, absent: "1s" },
    timeout: { shape: duration, absent: "2s" },
    retries: { shape: integer({ least: 1, most: 1000 }), absent: 3 },
  },
  (value) => {
    const kinds = ["http", "tcp", "command"].filter((kind) => value[kind] !== undefined);
    return kinds.length === 1 ? undefined : "must have exactly one of http, tcp and command";
  },
);

const volume: Shape = object({
  path: {
    shape: text((path) => {
      if (!path.startsWith("/")) {
        throw new Error('must be an absolute path, beginning with "/"');
      }
      return path;
    }),
    required: true,
  },
  size: { shape: quantity(normalSize), required: true },
});

const compute: Shape = object({
  cpu: { shape: quantity(normalCpu) },
  memory: { shape: quantity(normalSize) },
  disk: { shape: quantity(normalSize) },
  gpu: { shape: gpu },
});

const egress: Shape = object({
  to: { shape: choice("internet", "exchange"), required: true },
  addresses: { shape: set(anyText) },
  ports: { shape: set(port) },
});

const environmentName = (key: string): void => {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(key)) {
    throw new Error("is not a name for an environment variable: letters, digits and _, not beginning with a digit");
  }
};

/** Values in an environment are text; numbers and booleans are written as programs write them. */
const environmentValue: Shape = shape((value, path, problems) =>
  anyText.normalize(typeof value === "boolean" ? String(value) : value, path, problems),
);

export const workloadFields: Readonly<Record<string, Field>> = {
  infrastructure: { shape: name, required: true },
  container: { shape: container, required: true },
  command: { shape: words, absent: [] },
  arguments: { shape: words, absent: [] },
  environment: { shape: map(environmentValue, environmentName), absent: {} },
  ports: { shape: set(port) },
  healthCheck: { shape: healthCheck },
  volumes: { shape: map(volume, entryName), absent: {} },
  compute: { shape: compute, absent: {} },
  group: { shape: integer({ least: 0, most: 1023 }) },
  count: { shape: integer({ least: 1, most: 10_000 }), absent: 1 },
  egress: { shape: list(egress), absent: [] },
};

const source: Shape = object(
  {
    workload: { shape: name },
    infrastructure: { shape: name },
    global: { shape: flag, absent: false },
    hosts: { shape: set(anyText) },
  },
  (value) => {
    const kinds = ["workload", "infrastructure", "global"].filter((kind) => value[kind] !== undefined);
    if (kinds.length !== 1) {
      return "must have exactly one of workload, infrastructure and global: true";
    }
    return value["hosts"] !== undefined && value["global"] === undefined
      ? "has hosts, which need global: true"
      : undefined;
  },
);

export const connectionFields: Readonly<Record<string, Field>> = {
  to: { shape: name, required: true },
  port: { shape: port, required: true },
  from: { shape: source, required: true },
};

export const workloadShape: Shape = object(workloadFields);
export const connectionShape: Shape = object(connectionFields);
