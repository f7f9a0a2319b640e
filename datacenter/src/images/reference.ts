/** An image's name, taken apart. `registry` and `repository` are complete: `nginx` is `docker.io/library/nginx`. */
export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  /** Absent when a digest is given without one. */
  readonly tag?: string;
  /** `sha256:<64 hexadecimal digits>` */
  readonly digest?: string;
}

const pattern =
  /^(?<name>[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*?)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/;

/** Takes `[registry[:port]/]name[:tag][@sha256:…]` apart as Docker does. Throws on what is none. */
export function parseImageReference(image: string): ImageReference {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === "localhost";
  const registry = hasRegistry ? first : "docker.io";
  const match = pattern.exec(hasRegistry ? image.slice(slash + 1) : image);
  const name = match?.groups?.["name"];
  if (
    name === undefined ||
    name.includes(":") ||
    name.includes("//") ||
    !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/.test(registry)
  ) {
    throw new Error(
      `"${image}" is not the name of an image: expected [registry/]name[:tag][@sha256:digest], in small letters`,
    );
  }
  const repository = registry === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  const digest = match?.groups?.["digest"];
  const tag = match?.groups?.["tag"] ?? (digest === undefined ? "latest" : undefined);
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The one complete spelling of a reference. */
export function formatImageReference({ registry, repository, tag, digest }: ImageReference): string {
  const suffix = `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  return `${registry}/${repository}${suffix}`;
}
