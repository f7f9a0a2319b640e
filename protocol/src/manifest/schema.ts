import { z } from "zod";
import { nameProblem } from "../identifiers/names";
import { parseCpu } from "../quantities/cpu";
import { MAX_UINT64 } from "../quantities/decimal";
import { MAX_DURATION, parseDuration } from "../quantities/duration";
import { QuantityError } from "../quantities/error";
import { parseSize } from "../quantities/size";
import {
  absolutePathRule,
  environmentNameRule,
  gpuTextRule,
  hostRule,
  httpPathRule,
  imageRule,
  integerRule,
  MAX_INSTANCES,
  MAX_ITEMS,
  portRule,
  type Rule,
  saltRule,
  textRule,
} from "./rules";

/**
 * The two forms of an entry share all but their leaves: `human` is what a program or a YAML file says, `normalized`
 * is what a manifest holds. Both refuse properties that they don't know.
 */
export interface EntrySchemas {
  readonly workload: ReturnType<typeof workloadSchema>;
  readonly connection: ReturnType<typeof connectionSchema>;
}

let human: EntrySchemas | undefined;
let normalized: EntrySchemas | undefined;

/** Schemas of what people write. Built when first asked for: a plugin that only starts doesn't need them. */
export function humanSchemas(): EntrySchemas {
  human ??= schemasOf(humanLeaves());
  return human;
}

/** Schemas of a manifest's entries as they are hashed and handed over. */
export function normalizedSchemas(): EntrySchemas {
  normalized ??= schemasOf(normalizedLeaves());
  return normalized;
}

/** The manifest around its entries, whose own schemas are {@link normalizedSchemas}. */
export function manifestFrameSchema() {
  return z.strictObject({
    schema: z.literal(1),
    salt: ruled(saltRule),
    workloads: z.record(z.string(), z.unknown()),
    connections: z.record(z.string(), z.unknown()),
  });
}

interface Leaves {
  readonly integer: (rule: Rule<number>) => z.ZodType<number>;
  /** Thousandths of a vCPU. */
  readonly cpu: z.ZodType<number>;
  /** Bytes in decimal. */
  readonly size: z.ZodType<string>;
  /** Milliseconds. */
  readonly duration: z.ZodType<number>;
  readonly environmentValue: z.ZodType<string>;
  /** A shorthand that stands for an object, such as an image's name for its container. */
  readonly shorthand: <T>(schema: z.ZodType<T>, expand: (value: unknown) => unknown) => z.ZodType<T>;
}

function schemasOf(leaves: Leaves): EntrySchemas {
  return { workload: workloadSchema(leaves), connection: connectionSchema(leaves) };
}

function workloadSchema(leaves: Leaves) {
  const port = leaves.integer(portRule);
  const command = z.array(ruled(textRule)).max(MAX_ITEMS);
  const container = z.strictObject({
    image: ruled(imageRule),
    credentials: z.strictObject({ username: ruled(textRule), password: ruled(textRule) }).optional(),
  });
  const gpu = z.strictObject({
    count: leaves.integer(integerRule(1, 1024)),
    vendor: ruled(gpuTextRule).optional(),
    model: ruled(gpuTextRule).optional(),
  });
  const compute = z.strictObject({
    cpu: leaves.cpu.optional(),
    memory: leaves.size.optional(),
    disk: leaves.size.optional(),
    gpu: leaves.shorthand(gpu, (value) => (typeof value === "number" ? { count: value } : value)).optional(),
  });
  const healthCheck = z
    .strictObject({
      http: ruled(httpPathRule).optional(),
      tcp: z.literal(true).optional(),
      command: command.optional(),
      port: port.optional(),
      interval: leaves.duration.optional(),
      timeout: leaves.duration.optional(),
      retries: leaves.integer(integerRule(1, 1000)).optional(),
    })
    .check(exactlyOne("http", "tcp", "command"), (context) => {
      const { command: words, port: checked } = context.value;
      if (words?.length === 0) {
        refuse(context, ["command"], "is empty");
      }
      if (words !== undefined && checked !== undefined) {
        refuse(context, ["port"], "is for http and tcp only: a command finds its own port");
      }
    });
  const egress = z
    .strictObject({
      to: z.enum(["internet", "exchange"]),
      addresses: z.array(ruled(cidrRule)).max(MAX_ITEMS).optional(),
      ports: unique(z.array(port).max(MAX_ITEMS)).optional(),
    })
    .check((context) => {
      const { to, addresses, ports } = context.value;
      if (to === "exchange" && (addresses !== undefined || ports !== undefined)) {
        refuse(context, [], "exchange takes neither addresses nor ports: the datacenter knows where its exchange is");
      }
    });
  return z.strictObject({
    infrastructure: ruled(nameProblem),
    container: leaves.shorthand(container, (value) => (typeof value === "string" ? { image: value } : value)),
    command: command.optional(),
    arguments: command.optional(),
    environment: z.record(ruled(environmentNameRule), leaves.environmentValue).check(fewEnough).optional(),
    ports: unique(z.array(port).max(MAX_ITEMS)).optional(),
    healthCheck: healthCheck.optional(),
    volumes: z
      .record(ruled(nameProblem), z.strictObject({ path: ruled(absolutePathRule), size: leaves.size }))
      .check(fewEnough, distinctPaths)
      .optional(),
    compute: compute.optional(),
    group: leaves.integer(integerRule(0, 1023)).optional(),
    count: leaves.integer(integerRule(1, MAX_INSTANCES)).optional(),
    egress: z.array(egress).max(MAX_ITEMS).optional(),
  });
}

function connectionSchema(leaves: Leaves) {
  return z.strictObject({
    to: ruled(nameProblem),
    port: leaves.integer(portRule),
    from: z
      .strictObject({
        workload: ruled(nameProblem).optional(),
        infrastructure: ruled(nameProblem).optional(),
        global: z.literal(true).optional(),
        hosts: unique(z.array(ruled(hostRule)).max(MAX_ITEMS)).optional(),
      })
      .check(exactlyOne("workload", "infrastructure", "global"), (context) => {
        if (context.value.hosts !== undefined && context.value.global === undefined) {
          refuse(context, ["hosts"], "is for global connections only");
        }
      }),
  });
}

function humanLeaves(): Leaves {
  return {
    // YAML configuration and some languages hand over numbers as text.
    integer: (rule) => z.preprocess(numberFromText, z.number()).check(obey(rule)),
    cpu: quantity((value) => positive(Number(parseCpu(value)), "cpu", value)),
    size: quantity((value) => positive(parseSize(value), "size", value).toString()),
    duration: quantity((value) => positive(parseDuration(value), "duration", value)),
    environmentValue: z.preprocess(textFromScalar, z.string()).check(obey(textRule)),
    shorthand: (schema, expand) => z.preprocess(expand, schema),
  };
}

function normalizedLeaves(): Leaves {
  return {
    integer: (rule) => z.number().check(obey(rule)),
    cpu: z.number().check(obey(integerRule(1, Number.MAX_SAFE_INTEGER))),
    size: ruled((text) =>
      /^[1-9]\d{0,19}$/.test(text) && BigInt(text) <= MAX_UINT64
        ? undefined
        : `${JSON.stringify(text.slice(0, 40))} is not a number of bytes in decimal, from 1 to ${MAX_UINT64}`,
    ),
    duration: z.number().check(obey(integerRule(1, MAX_DURATION))),
    environmentValue: ruled(textRule),
    shorthand: (schema) => schema,
  };
}

/** A text that obeys a rule. */
function ruled(rule: Rule<string>) {
  return z.string().check(obey(rule));
}

function obey<T>(rule: Rule<T>): z.core.CheckFn<T> {
  return (context) => {
    const problem = rule(context.value);
    if (problem !== undefined) {
      refuse(context, [], problem);
    }
  };
}

function refuse<T>(context: z.core.ParsePayload<T>, path: PropertyKey[], message: string): void {
  context.issues.push({ code: "custom", message, path, input: undefined });
}

function exactlyOne<K extends string>(...keys: readonly K[]): z.core.CheckFn<Partial<Record<K, unknown>>> {
  return (context) => {
    const given = keys.filter((key) => context.value[key] !== undefined);
    if (given.length !== 1) {
      const choices = `${keys.slice(0, -1).join(", ")} and ${keys.at(-1)}`;
      refuse(context, [], `needs exactly one of ${choices}; has ${given.length === 0 ? "none" : given.join(" and ")}`);
    }
  };
}

function unique<T extends string | number>(schema: z.ZodType<readonly T[]>) {
  return schema.check((context) => {
    context.value.forEach((item, index) => {
      if (context.value.indexOf(item) < index) {
        refuse(context, [index], `${JSON.stringify(item)} is there twice`);
      }
    });
  });
}

const fewEnough: z.core.CheckFn<object> = (context) => {
  if (Object.keys(context.value).length > MAX_ITEMS) {
    refuse(context, [], `has more than ${MAX_ITEMS} items`);
  }
};

const distinctPaths: z.core.CheckFn<Record<string, { path: string }>> = (context) => {
  const owners = new Map<string, string>();
  for (const [name, { path }] of Object.entries(context.value)) {
    const other = owners.get(path);
    if (other !== undefined) {
      refuse(context, [name, "path"], `${JSON.stringify(path)} is the path of volume ${JSON.stringify(other)} too`);
    }
    owners.set(path, name);
  }
};

const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const cidrRule: Rule<string> = (text) =>
  cidr.safeParse(text).success
    ? undefined
    : `${JSON.stringify(text.slice(0, 60))} is not a block of addresses, such as 203.0.113.0/24`;

function quantity<T>(parse: (value: string | number) => T) {
  return z.unknown().transform((value, context): T => {
    if (typeof value !== "string" && typeof value !== "number") {
      context.addIssue({ code: "custom", message: value === undefined ? "is missing" : "must be a number or a text" });
      return z.NEVER;
    }
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof QuantityError)) {
        throw error;
      }
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

function positive<T extends number | bigint>(value: T, kind: string, written: string | number): T {
  if (value <= 0) {
    throw new QuantityError(kind, String(written), "it is nothing", "leave it out, or ask for more than 0");
  }
  return value;
}

function numberFromText(value: unknown): unknown {
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

function textFromScalar(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}
