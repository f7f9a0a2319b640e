import { mapOf, optional, type Properties, required, resourceNamed, specs, text, typeNamed } from "./build";
import { deploymentInputs, rawAddresses } from "./resources";

const inputs: Properties = {
  file: optional(
    text,
    "Path of an application file; a relative one begins at the program's folder. Not together with `text`, nor with what a file says.",
  ),
  text: optional(text, "The same as text: for one that a program makes or reads itself."),
  variables: optional(
    mapOf(text),
    "Values of the variables that the file declares. Without: the project's configuration of that name, then the file's default.",
  ),
};

const outputs: Properties = {
  deployment: required(resourceNamed("Deployment"), "The deployment that it is made of."),
  deploymentId: required(text, "`<chain>/<tenant>/<sequence>`"),
  version: required(text, "The SHA-256 of its manifest."),
  addresses: required(mapOf(text), "Where each connection is reached, by its name."),
  rawAddresses,
  leases: required(mapOf(typeNamed("Lease")), "What each infrastructure has got, by its name."),
};

/** Components of the package. */
export function componentSpecs(): Readonly<Record<string, object>> {
  const input = specs(inputs);
  return {
    "dcx:index:Application": {
      isComponent: true,
      description:
        "A whole application: infrastructure and what runs on it, from one file or from arguments. Makes one `Deployment` " +
        "with everything inline.",
      inputProperties: { ...input.properties, ...deploymentInputs().properties },
      requiredInputs: [],
      ...specs(outputs),
    },
  };
}
