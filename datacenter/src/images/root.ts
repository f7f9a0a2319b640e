import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Where `path` of an image lies on the host, with every symbolic link on the way followed as it would be with `root`
 * as the root. So no link in an image leads out of it. The last component is followed only on request; what does
 * not exist is taken as it is written. Throws on a loop of links.
 */
export function resolveInRoot(root: string, path: string, last: "follow" | "keep"): string {
  const done: string[] = [];
  const todo = path.split("/").reverse();
  let links = 0;
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    if (part === "" || part === ".") {
      continue;
    }
    if (part === "..") {
      done.pop();
      continue;
    }
    done.push(part);
    if (last === "keep" && todo.every((rest) => rest === "" || rest === ".")) {
      break;
    }
    const target = linkTarget(join(root, ...done));
    if (target === undefined) {
      continue;
    }
    links += 1;
    if (links > 40) {
      throw new Error(`too many symbolic links in ${path}`);
    }
    if (target.startsWith("/")) {
      done.length = 0;
    } else {
      done.pop();
    }
    todo.push(...target.split("/").reverse());
  }
  return join(root, ...done);
}

function linkTarget(path: string): string | undefined {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  return entry?.isSymbolicLink() === true ? readlinkSync(path) : undefined;
}
