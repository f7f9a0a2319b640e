import { invalidParameters } from "./rpc-error";

/**
 * The parameters of a call, from a JSON body or from a URI. The two write bytes differently: in JSON they are base64
 * or hexadecimal as the method has it, in a URI 0x and hexadecimal or a "quoted" text.
 */
export class CallParameters {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly source: "json" | "uri",
  ) {}

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw invalidParameters(`${name}: missing`);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw invalidParameters(`${name}: a text is expected`);
    return this.source === "uri" ? (quoted(value) ?? value) : value;
  }

  /** A height or a count: a number, or its digits. */
  optionalInteger(name: string): bigint | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const digits =
      typeof value === "number" && Number.isSafeInteger(value)
        ? value.toString()
        : typeof value === "string"
          ? (quoted(value) ?? value)
          : "";
    if (digits === "" && this.source === "uri") return undefined;
    if (!/^\d{1,19}$/.test(digits)) throw invalidParameters(`${name}: a whole number from 0 is expected`);
    return BigInt(digits);
  }

  flag(name: string): boolean {
    const value = this.raw(name);
    if (value === undefined || value === false || value === "false") return false;
    if (value === true || value === "true") return true;
    throw invalidParameters(`${name}: true or false is expected`);
  }

  /** Bytes that JSON writes in base64. */
  base64(name: string): Buffer {
    return this.bytes(name, "base64");
  }

  /** Bytes that JSON writes in hexadecimal. */
  hex(name: string): Buffer {
    return this.bytes(name, "hex");
  }

  private bytes(name: string, encoding: "base64" | "hex"): Buffer {
    const value = this.raw(name);
    if (typeof value !== "string") throw invalidParameters(`${name}: bytes in ${encoding} are expected`);
    if (this.source === "uri") {
      const text = quoted(value);
      if (text !== undefined) return Buffer.from(text);
      if (value.startsWith("0x")) return decode(name, value.slice(2), "hex");
    }
    return decode(name, value, encoding);
  }

  private raw(name: string): unknown {
    return (Object.hasOwn(this.values, name) ? this.values[name] : undefined) ?? undefined;
  }
}

const shapes = {
  hex: /^([0-9a-fA-F]{2})*$/,
  base64: /^[A-Za-z0-9+/]*={0,2}$/,
};

function decode(name: string, text: string, encoding: "base64" | "hex"): Buffer {
  if (!shapes[encoding].test(text)) throw invalidParameters(`${name}: not ${encoding}`);
  return Buffer.from(text, encoding);
}

function quoted(value: string): string | undefined {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : undefined;
}
