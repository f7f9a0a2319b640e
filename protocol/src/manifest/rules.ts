import { parseImageReference } from "./image";

/** Longest environment value, argument or credential, in UTF-16 code units. */
export const MAX_TEXT_LENGTH = 65_536;
/** Longest canonical manifest, in UTF-8 bytes. */
export const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;
/** Most workloads and connections together. */
export const MAX_ENTRIES = 10_000;
/** Most ports, arguments, variables, volumes or other items of one workload. */
export const MAX_ITEMS = 1024;
/** Most instances of one workload. */
export const MAX_INSTANCES = 10_000;

export const HEALTH_CHECK_DEFAULTS = { interval: 1000, timeout: 2000, retries: 3 } as const;

/** A rule says what is wrong with a value, or nothing where it is right. */
export type Rule<T> = (value: T) => string | undefined;

export const portRule: Rule<number> = (port) =>
  Number.isInteger(port) && port >= 1 && port <= 65_535 ? undefined : `${port} is not a TCP port (1 to 65535)`;

export const imageRule: Rule<string> = (image) => {
  const reference = parseImageReference(image);
  return "problem" in reference ? reference.problem : undefined;
};

/** For texts that may be secret: the message holds nothing of them. */
export const textRule: Rule<string> = (text) => {
  if (text.length > MAX_TEXT_LENGTH) {
    return `is longer than ${MAX_TEXT_LENGTH} characters`;
  }
  if (text.includes("\0")) {
    return "contains a NUL character, which no process can be given";
  }
  return /\p{Surrogate}/u.test(text) ? "is not well-formed Unicode" : undefined;
};

export const environmentNameRule: Rule<string> = (name) =>
  /^[A-Za-z_][A-Za-z0-9_.-]{0,254}$/.test(name) && name !== "__proto__"
    ? undefined
    : `${JSON.stringify(name.slice(0, 100))} is not the name of an environment variable: letters, digits, _ . -, a letter or _ first`;

export const absolutePathRule: Rule<string> = (path) => {
  const shown = JSON.stringify(path.slice(0, 100));
  if (!path.startsWith("/")) {
    return `${shown} is not an absolute path`;
  }
  if (path === "/") {
    return 'a volume can\'t replace the whole file system ("/")';
  }
  if (
    path.length > 1024 ||
    path
      .split("/")
      .slice(1)
      .some((part) => part === "" || part === "." || part === "..")
  ) {
    return `${shown} is not a plain path: no empty parts, no "." or "..", no slash at the end, at most 1024 characters`;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\x00-\x1f\x7f:]/.test(path) ? `${shown} contains a colon or a control character` : undefined;
};

export const httpPathRule: Rule<string> = (path) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  path.startsWith("/") && path.length <= 2048 && !/[\x00-\x20\x7f#]|\p{Surrogate}/u.test(path)
    ? undefined
    : `${JSON.stringify(path.slice(0, 100))} is not a path to request: it starts with "/" and has no spaces`;

export const hostRule: Rule<string> = (host) =>
  host.length <= 253 && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/.test(host)
    ? undefined
    : `${JSON.stringify(host.slice(0, 100))} is not a host name in lower case, such as shop.example.org`;

export const gpuTextRule: Rule<string> = (text) =>
  /^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)
    ? undefined
    : `${JSON.stringify(text.slice(0, 100))} is not a vendor's or a model's name in lower case, such as nvidia or h100`;

export const saltRule: Rule<string> = (salt) =>
  /^[0-9a-f]{64}$/.test(salt) ? undefined : "is not 32 bytes in hexadecimal";

/** An integer between two bounds. */
export function integerRule(minimum: number, maximum: number): Rule<number> {
  return (value) =>
    Number.isInteger(value) && value >= minimum && value <= maximum
      ? undefined
      : `${value} is not an integer from ${minimum} to ${maximum}`;
}
