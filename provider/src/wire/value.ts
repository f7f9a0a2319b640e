/**
 * Pulumi property values, decoded: what a `google.protobuf.Struct` of the provider protocol means.
 * Secrets and unknowns are objects of their own, so that no code takes them for plain values by accident.
 */
export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | ValueMap
  | Secret
  | Unknown
  | ResourceReference;

export interface ValueMap {
  readonly [key: string]: Value;
}

/** A value that the engine encrypts in state and hides on screens. It never prints itself. */
export class Secret {
  readonly #value: Value;
  constructor(value: Value) {
    this.#value = value;
  }
  reveal(): Value {
    return this.#value;
  }
  toJSON(): string {
    return "[secret]";
  }
  toString(): string {
    return "[secret]";
  }
}

/** A value that is known only once something else is created. */
export class Unknown {
  static readonly instance = new Unknown();
  toString(): string {
    return "[unknown]";
  }
}

/** Another resource passed as an input; its id is what we need of it. */
export class ResourceReference {
  constructor(
    readonly urn: string,
    /** "" for a component, which has none. */
    readonly id: string | Unknown,
    /** Of the package that the resource comes from, as the program said it; handed back as it came. */
    readonly packageVersion?: string,
  ) {}
}
