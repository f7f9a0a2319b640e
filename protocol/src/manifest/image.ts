/** A container image by tag, digest or both. Grammar: github.com/distribution/reference. */
export interface ImageReference {
  /** Registry's host with its port. Absent: none is named. */
  readonly registry?: string;
  /** The repository within its registry. */
  readonly repository: string;
  readonly tag?: string;
  /** Such as `sha256:…`. */
  readonly digest?: string;
}

const MAX_LENGTH = 512;
const MAX_NAME_LENGTH = 255;
const REGISTRY =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::\d{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Reads an image reference, or says what is wrong with it. */
export function parseImageReference(text: string): ImageReference | { readonly problem: string } {
  const shown = JSON.stringify(text.slice(0, 100));
  const refuse = (reason: string) => ({ problem: `${shown} is not an image reference: ${reason}` });
  if (text === "") {
    return refuse("it is empty; write one such as ghcr.io/acme/web:1.4");
  }
  if (text.length > MAX_LENGTH) {
    return refuse(`it is longer than ${MAX_LENGTH} characters`);
  }
  if (/\s/.test(text)) {
    return refuse("it contains white space");
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return refuse("it is a URL; leave out the scheme");
  }
  const [named = "", ...digests] = text.split("@");
  const [digest] = digests;
  if (digests.length > 1 || (digest !== undefined && !DIGEST.test(digest))) {
    return refuse("what follows @ is not a digest; write sha256: and 64 hexadecimal digits in lower case");
  }
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) {
    return refuse(`${JSON.stringify(tag)} is not a tag: letters, digits, _ . -, at most 128, none of . - first`);
  }
  if (tag === undefined && digest === undefined) {
    return refuse(`it has neither tag nor digest; write ${text}:latest if that is what you mean`);
  }
  const parts = name.split("/");
  const registry = parts.length > 1 && /[.:A-Z]|^localhost$/.test(parts[0] ?? "") ? parts[0] : undefined;
  if (registry !== undefined && !REGISTRY.test(registry)) {
    return refuse(`${JSON.stringify(registry)} is not a registry's host`);
  }
  const components = registry === undefined ? parts : parts.slice(1);
  const wrong = components.find((component) => !COMPONENT.test(component));
  if (wrong !== undefined) {
    const hint = COMPONENT.test(wrong.toLowerCase()) ? "; it must be in lower case" : "";
    return refuse(`${JSON.stringify(wrong)} is not a part of a repository's name${hint}`);
  }
  if (name.length > MAX_NAME_LENGTH) {
    return refuse(`its name is longer than ${MAX_NAME_LENGTH} characters`);
  }
  return {
    ...(registry === undefined ? {} : { registry }),
    repository: components.join("/"),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}
