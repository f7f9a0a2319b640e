import { readFileSync } from "node:fs";
import { resolveInRoot } from "../images/root";
import type { UnpackedImage } from "../images/store";
import type { InstanceSpecification } from "./runtime";

type Words = Pick<InstanceSpecification, "command" | "arguments" | "image">;
type ImageDefaults = Pick<UnpackedImage, "entrypoint" | "command">;

/**
 * What an instance runs: its own command replaces the image's entry point, and with it the image's default arguments;
 * its own arguments replace those only. Throws when nothing is left.
 */
export function commandLine(words: Words, image: ImageDefaults): string[] {
  const line = [
    ...(words.command ?? image.entrypoint),
    ...(words.arguments ?? (words.command === undefined ? image.command : [])),
  ];
  if (line.length === 0) {
    throw new Error(`image ${words.image} names no program to run: set the workload's command`);
  }
  return line;
}

/** The image's environment under the workload's, with a PATH in any case. */
export function environmentOf(
  specification: Pick<InstanceSpecification, "environment">,
  image: Pick<UnpackedImage, "environment">,
): Record<string, string> {
  const ofImage = image.environment.map((line): [string, string] => {
    const equals = line.indexOf("=");
    return equals < 0 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
  });
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ...Object.fromEntries(ofImage),
    ...specification.environment,
  };
}

/** Ids of the image's user (`user[:group]`, names or numbers). Throws on a name that the image does not know. */
export function userOf(image: Pick<UnpackedImage, "user" | "rootfs">): { uid: number; gid: number } {
  const [user = "", group] = image.user.split(":");
  if (user === "") {
    return { uid: 0, gid: 0 };
  }
  const entry = /^\d+$/.test(user)
    ? lines(image.rootfs, "/etc/passwd").find((fields) => fields[2] === user)
    : lines(image.rootfs, "/etc/passwd").find((fields) => fields[0] === user);
  const uid = /^\d+$/.test(user) ? Number(user) : Number(entry?.[2] ?? Number.NaN);
  const gid =
    group === undefined
      ? Number(entry?.[3] ?? 0)
      : /^\d+$/.test(group)
        ? Number(group)
        : Number(lines(image.rootfs, "/etc/group").find((fields) => fields[0] === group)?.[2] ?? Number.NaN);
  if (!(uid >= 0 && uid < 65536 && gid >= 0 && gid < 65536)) {
    throw new Error(`the image's user "${image.user}" is unknown in it, or out of range`);
  }
  return { uid, gid };
}

function lines(rootfs: string, path: string): string[][] {
  try {
    return readFileSync(resolveInRoot(rootfs, path, "follow"), "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
}
