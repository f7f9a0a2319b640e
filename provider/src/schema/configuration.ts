import { type Setting, settingSources, settings, variableOf } from "../configuration/settings";
import { flag, listOf, number, optional, type Properties, type Property, type TypeSpec, text } from "./build";

/** `texts` of the stack configuration may be one text too; programs give a list. */
const types: Readonly<Record<(typeof settingSources)[Setting]["type"], TypeSpec>> = {
  text,
  texts: listOf(text),
  flag,
  number,
};

/**
 * Settings of the provider. None has `defaultInfo.environment`: SDKs would copy the variable into the inputs, and so
 * into the state. The plugin reads the environment itself.
 */
export const configuration: Properties = Object.fromEntries(settings.map((name) => [name, property(name)]));

function property(name: Setting): Property {
  const { type, description, secret, default: otherwise } = settingSources[name];
  const sentences = [
    description,
    ...(otherwise === undefined ? [] : [`Default: ${otherwise}.`]),
    `Environment: ${variableOf(name)}${type === "texts" && name === "endpoints" ? ", separated by commas" : ""}.`,
  ];
  return optional(types[type], sentences.join(" "), secret === undefined ? {} : { secret });
}
