import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type LayerEntry, makeLayer } from "./made-image";
import { unpackLayer } from "./unpack";

let folder: string;
let root: string;
let outside: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-unpack-"));
  root = join(folder, "root");
  outside = join(folder, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "the host's");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unpack = async (...entries: LayerEntry[]) =>
  unpackLayer(root, Readable.from([await makeLayer(entries)]), { maximumSize: 1 << 20 });
const file = (name: string, content = name): LayerEntry => ({ name, content });
const link = (name: string, linkname: string): LayerEntry => ({ name, linkname, type: "symlink" });
const hard = (name: string, linkname: string): LayerEntry => ({ name, linkname, type: "link" });
const read = (path: string) => readFileSync(join(root, path), "utf8");
const untouched = () => {
  expect(readdirSync(outside)).toEqual(["secret"]);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("the host's");
  expect(readdirSync(folder).sort()).toEqual(["outside", "root"]);
};

test("a layer replaces, and whiteouts remove, what is below", async () => {
  await unpack(file("a/one"), file("a/two"), file("b/three"), file("c"));
  await unpack(file("a/one", "new"), file("a/.wh.two"), file(".wh.b"), { name: "c", type: "directory" });
  expect(readdirSync(root).sort()).toEqual(["a", "c"]);
  expect(readdirSync(join(root, "a"))).toEqual(["one"]);
  expect(read("a/one")).toBe("new");
  expect(statSync(join(root, "c")).isDirectory()).toBe(true);
});

test("an opaque folder keeps what its own layer puts in, before or after the mark", async () => {
  await unpack(file("d/old"), file("d/sub/older"));
  await unpack(file("d/before"), file("d/.wh..wh..opq"), file("d/after"));
  expect(readdirSync(join(root, "d")).sort()).toEqual(["after", "before"]);
});

test("hard links share a file, also over layers and from a link's own name", async () => {
  await unpack(file("bin/tool"), link("alias", "bin"));
  await unpack(hard("other", "bin/tool"), hard("third", "/alias/tool"), hard("fourth", "alias"));
  expect(statSync(join(root, "other")).ino).toBe(statSync(join(root, "bin/tool")).ino);
  expect(statSync(join(root, "third")).ino).toBe(statSync(join(root, "bin/tool")).ino);
  expect(lstatSync(join(root, "fourth")).isSymbolicLink()).toBe(true);
});

test("an absolute name lies in the image; a name that leads out of it is refused", async () => {
  await unpack(file("/etc/passwd", "the image's"));
  expect(read("etc/passwd")).toBe("the image's");
  for (const name of ["../outside/secret", "a/../../outside/secret", "a/.."]) {
    await expect(unpack(file(name))).rejects.toThrow(/outside itself/);
  }
  await expect(unpack(hard("x", "../outside/secret"))).rejects.toThrow(/outside itself/);
  untouched();
});

test("links are kept as they are, and followed as if the image were the root", async () => {
  await unpack(link("absolute", outside), link("relative", "../outside"), link("deep", "absolute"));
  expect(readlinkSync(join(root, "absolute"))).toBe(outside);
  await unpack(file("absolute/secret", "1"), file("relative/secret", "2"), file("deep/more", "3"));
  expect(read(join(outside, "secret"))).toBe("1");
  expect(read(join(outside, "more"))).toBe("3");
  expect(read("outside/secret")).toBe("2");
  untouched();
});

test("no whiteout, opaque mark or hard link reaches through a link", async () => {
  await unpack(link("out", outside));
  await unpack(file("out/.wh.secret"), file("out/.wh..wh..opq"));
  await expect(unpack(hard("mine", "out/secret"))).rejects.toThrow(/ENOENT/);
  expect(existsSync(join(root, "mine"))).toBe(false);
  await expect(unpack(file(".wh.."))).rejects.toThrow(/the name "\."/);
  await expect(unpack(file(".wh..."))).rejects.toThrow(/the name "\.\."/);
  untouched();
});

test("a file over a link replaces the link, not what it leads to", async () => {
  await unpack(link("it", join(outside, "secret")));
  await unpack(file("it", "mine"));
  expect(read("it")).toBe("mine");
  expect(lstatSync(join(root, "it")).isFile()).toBe(true);
  untouched();
});

test("a loop of links ends", async () => {
  await expect(unpack(link("a", "b"), link("b", "a"), file("a/x"))).rejects.toThrow(/too many symbolic links/);
});

test("devices and pipes are left out, and no program keeps a bit that changes the user", async () => {
  await unpack(
    { name: "disk", type: "block-device", devmajor: 8, devminor: 0 },
    { name: "null", type: "character-device", devmajor: 1, devminor: 3 },
    { name: "pipe", type: "fifo" },
    { name: "su", mode: 0o6755, content: "x" },
    { name: "tmp", type: "directory", mode: 0o3777 },
  );
  expect(readdirSync(root).sort()).toEqual(["su", "tmp"]);
  expect(statSync(join(root, "su")).mode & 0o7777).toBe(0o755);
  expect(statSync(join(root, "tmp")).mode & 0o7777).toBe(0o1777);
});

test("more bytes than allowed, and a layer that breaks off, are refused", async () => {
  await expect(unpack(file("big", "x".repeat(2 << 20)))).rejects.toThrow(/more than 1048576 bytes/);
  const layer = await makeLayer([file("whole", "x".repeat(10_000))]);
  for (const length of [600, 5_000]) {
    const cut = Readable.from([layer.subarray(0, length)]);
    await expect(unpackLayer(root, cut, { maximumSize: 1 << 20 })).rejects.toThrow(/end of data/i);
  }
});
