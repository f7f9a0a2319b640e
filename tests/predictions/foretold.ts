import { pathsThatDiffer } from "../../provider/src/resources/predictions/prediction";
import type { Value } from "../../provider/src/wire/value";

/** Of what the engine keeps or tells: its own words for a secret and for what is not known (reference of the protocol). */
const signature = "4dabf18193072939515e22adb298388d";
const secret = "1b47061264138c4ac30d75fd1eb44270";
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** What nobody can compare: not known yet, or a secret that is not shown. */
class Anything {}
const anything = new Anything();

/** A value of a state or an event in plain words. */
function plain(value: unknown): unknown {
  if (value === unknown || value === "[secret]") {
    return anything;
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (Reflect.get(value, signature) === secret) {
    const text: unknown = Reflect.get(value, "plaintext");
    return typeof text === "string" ? plain(JSON.parse(text)) : anything;
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** Paths at which two inputs of a state differ. */
export function differing(before: unknown, after: unknown): readonly string[] {
  return [...pathsThatDiffer(plain(before) as Value, plain(after) as Value)].sort();
}

/** Fails where a preview knew something else of a resource's properties than what the state says now. */
export function expectForetold(name: string, preview: unknown, came: unknown): void {
  expect({ [name]: known(outputs(preview), outputs(came)) }).toEqual({ [name]: outputs(came) });
}

/** Without the nonce of a declaration's stamp, which is drawn anew, and which programs never see. */
function outputs(properties: unknown): unknown {
  const all = plain(properties);
  return typeof all === "object" && all !== null
    ? Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith("__")))
    : all;
}

/** The foretold value with what came in place of what was not known. */
function known(foretold: unknown, came: unknown): unknown {
  if (foretold instanceof Anything) {
    return came;
  }
  if (Array.isArray(foretold)) {
    return foretold.map((one, index) => known(one, Array.isArray(came) ? came[index] : undefined));
  }
  if (typeof foretold !== "object" || foretold === null) {
    return foretold;
  }
  return Object.fromEntries(
    Object.entries(foretold).map(([key, one]) => [
      key,
      known(one, typeof came === "object" && came !== null ? Reflect.get(came, key) : undefined),
    ]),
  );
}
