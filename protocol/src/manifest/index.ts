export * from "./canonical";
export * from "./check";
export { ManifestError, type ManifestIssue } from "./error";
export { humanConnection, humanWorkload } from "./human";
export { type ImageReference, parseImageReference } from "./image";
export { buildManifest, type ManifestInputs, normalizeConnection, normalizeWorkload } from "./normalize";
export * from "./patch";
export {
  HEALTH_CHECK_DEFAULTS,
  MAX_ENTRIES,
  MAX_INSTANCES,
  MAX_MANIFEST_BYTES,
  MAX_TEXT_LENGTH,
} from "./rules";
export * from "./slots";
export * from "./stamps";
export type * from "./types";
