/** What infrastructures, workloads, connections and volumes are called (also as a DNS label). */
export const NAME_PATTERN = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
export const MAX_NAME_LENGTH = 40;

/** Says why a text can't be a name, or nothing where it can. */
export function nameProblem(text: string): string | undefined {
  if (text.length > MAX_NAME_LENGTH) {
    return `${JSON.stringify(text.slice(0, MAX_NAME_LENGTH))}… is too long for a name: at most ${MAX_NAME_LENGTH} characters`;
  }
  if (!NAME_PATTERN.test(text)) {
    return `${JSON.stringify(text)} is not a name: lower case letters, digits and hyphens, a letter first, no hyphen last`;
  }
  return undefined;
}

/** Whether a text can be a name. */
export function isName(text: string): boolean {
  return nameProblem(text) === undefined;
}
