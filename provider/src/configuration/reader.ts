import { parseDuration, parseTokens, QuantityError } from "@dcx/protocol";
import { Secret, type Value, type ValueMap } from "../wire/value";
import type { ConfigurationProblem } from "./configuration";
import { isSetting, type Setting, settings, variableOf } from "./settings";

/** Where a setting comes from. */
export type Source = "input" | "environment";

/** Reads settings of the program or the stack, else of the environment, and gathers what is wrong with them. */
export class Reader {
  readonly problems: ConfigurationProblem[] = [];

  constructor(
    readonly inputs: ValueMap,
    readonly environment: NodeJS.ProcessEnv,
  ) {}

  refuse(setting: Setting, reason: string): void {
    this.problems.push({ setting, reason });
  }

  /** What the program or the stack says; texts that hold JSON, as stack configuration does, are taken apart. */
  input(setting: Setting): Value | undefined {
    const value = plain(this.inputs[setting]);
    if (value === null || value === undefined || value === "") {
      return undefined;
    }
    return typeof value === "string" ? parsedJson(value) : value;
  }

  variable(setting: Setting): string | undefined {
    return this.environment[variableOf(setting)] || undefined;
  }

  source(setting: Setting): Source | undefined {
    if (this.input(setting) !== undefined) {
      return "input";
    }
    return this.variable(setting) === undefined ? undefined : "environment";
  }

  /** How a person calls it where it comes from there. */
  nameOf(setting: Setting): string {
    return this.source(setting) === "environment" ? variableOf(setting) : setting;
  }

  text(setting: Setting): string | undefined {
    const value = this.input(setting) ?? this.variable(setting);
    if (value === undefined || typeof value === "string") {
      return value;
    }
    if (typeof value === "number" || typeof value === "boolean") {
      return String(value);
    }
    this.refuse(setting, "must be text");
    return undefined;
  }

  flag(setting: Setting): boolean {
    const text = this.text(setting);
    if (text !== undefined && text !== "true" && text !== "false") {
      this.refuse(setting, "must be true or false");
    }
    return text === "true";
  }

  /** Milliseconds, more than none. */
  duration(setting: Setting, most: number, mostText: string, example: string): number | undefined {
    const text = this.text(setting);
    if (text === undefined) {
      return undefined;
    }
    const milliseconds = quantity(() => parseDuration(text));
    if (milliseconds !== undefined && milliseconds > 0 && milliseconds <= most) {
      return milliseconds;
    }
    this.refuse(setting, `must be a duration of at most ${mostText}, such as ${example}`);
    return undefined;
  }

  /** Micro-units. */
  tokens(setting: Setting): bigint | undefined {
    const text = this.text(setting);
    if (text === undefined) {
      return undefined;
    }
    const amount = quantity(() => parseTokens(text));
    if (amount === undefined) {
      this.refuse(setting, 'must be an amount of tokens, such as "0.25", or of micro-units, such as "250000u"');
    }
    return amount;
  }

  /** A program and its arguments: a list, or a text that is split at spaces. */
  command(setting: Setting): readonly string[] | undefined {
    const value = this.input(setting) ?? parsedJson(this.variable(setting) ?? "");
    if (value === "") {
      return undefined;
    }
    const words = typeof value === "string" ? value.trim().split(/\s+/) : listOfTexts(value);
    if (words !== undefined && words.length > 0 && words[0] !== "") {
      return words;
    }
    this.refuse(setting, 'must be a command with its arguments, such as ["pass", "show", "dcx"]');
    return undefined;
  }

  refuseUnknownSettings(): void {
    for (const name of Object.keys(this.inputs)) {
      // The engine adds these.
      const engines = name === "version" || name === "pluginDownloadURL" || name.startsWith("__");
      if (!isSetting(name) && !engines) {
        this.problems.push({ setting: name, reason: `is no setting of dcx; there are ${settings.join(", ")}` });
      }
    }
  }
}

/** A text with commas in it, or a list of texts. */
export function listOfTexts(value: Value | undefined): readonly string[] | undefined {
  if (typeof value === "string") {
    return value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }
  if (value !== undefined && isList(value)) {
    const texts = value.map(plain).filter((item) => typeof item === "string");
    return texts.length === value.length ? texts : undefined;
  }
  return undefined;
}

export function plain(value: Value | undefined): Value | undefined {
  return value instanceof Secret ? plain(value.reveal()) : value;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function parsedJson(text: string): Value {
  if (!/^\s*[[{]/.test(text)) {
    return text;
  }
  try {
    const parsed: Value = JSON.parse(text);
    return parsed;
  } catch {
    return text;
  }
}

/** What its parser makes of it; `undefined` where that refuses it. */
function quantity<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof QuantityError) {
      return undefined;
    }
    throw error;
  }
}
