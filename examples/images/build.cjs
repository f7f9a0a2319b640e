"use strict";

// Makes the images of the examples: an OCI layout (one folder) whose layers are this machine's own Node.js with the
// shared libraries that it needs, and a script. No registry, no container engine and no network is needed.
//
//   node examples/images/build.cjs [folder]      default: .cache/images; the layout is <folder>/two-tier
//
// The same Node.js, libraries and scripts give the same digests. Prints one line per image: its name and digest.
const { execFileSync } = require("node:child_process");
const { createHash, randomBytes } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { pipeline } = require("node:stream/promises");
const { Transform } = require("node:stream");
const tar = require("tar-stream");

const node = "/usr/local/bin/node";
const selfManaged = path.join(__dirname, "..", "self-managed");
const images = [
  ...["web", "api"].flatMap((tier) => {
    const image = { script: path.join(__dirname, `${tier}.cjs`), port: { web: 8080, api: 9000 }[tier] };
    return [
      { ...image, name: `dcx.example/two-tier-${tier}:1.0`, environment: [`GREETING=Hello from ${tier}`] },
      { ...image, name: `dcx.example/two-tier-${tier}:1.1`, environment: [`GREETING=Good day from ${tier}`] },
    ];
  }),
  { name: "dcx.example/site:1.0", script: path.join(__dirname, "site.cjs"), port: 8080 },
  { name: "dcx.example/trainer:1.0", script: path.join(__dirname, "trainer.cjs") },
  { name: "dcx.example/follow-users:1.0", program: path.join(selfManaged, "follow-users", "manager.ts"), port: 7000 },
  { name: "dcx.example/batch:1.0", program: path.join(selfManaged, "batch", "manager.ts"), port: 7000 },
];

/** Builds the layout in `<folder>/two-tier`. Resolves to name and digest of each image, and the layout's path. */
async function buildImages(folder) {
  if (process.platform !== "linux") {
    throw new Error(
      `The example images are made from this machine's own Node.js, which is for ${process.platform}; containers need ` +
        "one for Linux. Run this on Linux, or use images from a registry in the example.",
    );
  }
  const layout = path.join(folder, "two-tier");
  const blobs = path.join(layout, "blobs", "sha256");
  fs.mkdirSync(blobs, { recursive: true });
  const base = await writeLayer(blobs, nodeFiles());
  const built = [];
  for (const image of images) {
    const main = image.program === undefined ? { source: image.script } : { text: bundle(image.program) };
    const layers = [base, await writeLayer(blobs, [...systemFiles(), { name: "app/main.cjs", ...main }])];
    const config = writeBlob(blobs, {
      architecture: { x64: "amd64" }[process.arch] ?? process.arch,
      os: "linux",
      config: {
        User: "65532:65532",
        Env: ["PATH=/usr/local/bin:/usr/bin:/bin", ...(image.environment ?? [])],
        Entrypoint: [node, "/app/main.cjs"],
        WorkingDir: "/app",
        ...(image.port === undefined ? {} : { ExposedPorts: { [`${image.port}/tcp`]: {} } }),
      },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "dcx examples" })),
      created: "1970-01-01T00:00:00Z",
    });
    const manifest = writeBlob(blobs, {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: layers.map((layer) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer })),
    });
    built.push({ name: image.name, ...manifest });
  }
  replaceFile(path.join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  replaceFile(
    path.join(layout, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: built.map(({ name, digest, size }) => ({
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest,
        size,
        annotations: { "org.opencontainers.image.ref.name": name },
      })),
    }),
  );
  return { layout, images: built.map(({ name, digest }) => ({ name, digest })) };
}

/** A TypeScript program with all that it imports, as the text of one script. Needs what `npm run build` makes. */
function bundle(program) {
  const { outputFiles } = require("esbuild").buildSync({
    entryPoints: [program],
    bundle: true,
    platform: "node",
    target: "node20",
    minify: true,
    write: false,
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

/** Node.js and each shared library that the dynamic linker says it loads, at the path where it looks for it. */
function nodeFiles() {
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" })
    .split("\n")
    .map((line) => /(?:=>\s*)?(\/\S+)\s+\(0x/.exec(line)?.[1])
    .filter((file) => file !== undefined);
  return [
    { name: node.slice(1), source: process.execPath, mode: 0o755 },
    ...[...new Set(libraries)].sort().map((file) => ({ name: file.slice(1), source: file, mode: 0o755 })),
  ];
}

/** What name and user look-ups want. */
function systemFiles() {
  return [
    { name: "etc/passwd", text: "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/app:/sbin/nologin\n" },
    { name: "etc/group", text: "root:x:0:\nnonroot:x:65532:\n" },
    { name: "etc/nsswitch.conf", text: "hosts: files dns\n" },
  ];
}

/** Writes a layer as a plain tar whose bytes depend on nothing but names and contents. */
async function writeLayer(blobs, files) {
  const pack = tar.pack();
  const hash = createHash("sha256");
  let size = 0;
  const count = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const temporary = path.join(blobs, `.${randomBytes(8).toString("hex")}`);
  const written = pipeline(pack, count, fs.createWriteStream(temporary));
  const common = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };
  for (const folder of foldersOf(files)) {
    pack.entry({ ...common, name: `${folder}/`, type: "directory", mode: folder === "tmp" ? 0o1777 : 0o755 });
  }
  for (const file of files) {
    const header = { ...common, name: file.name, type: "file", mode: file.mode ?? 0o644 };
    if (file.text !== undefined) {
      pack.entry(header, file.text);
      continue;
    }
    const entry = pack.entry({ ...header, size: fs.statSync(file.source).size });
    await pipeline(fs.createReadStream(file.source), entry);
  }
  pack.finalize();
  await written;
  const digest = `sha256:${hash.digest("hex")}`;
  fs.renameSync(temporary, path.join(blobs, digest.slice("sha256:".length)));
  return { digest, size };
}

function foldersOf(files) {
  const folders = new Set(["tmp"]);
  for (const { name } of files) {
    const parts = name.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      folders.add(parts.slice(0, depth).join("/"));
    }
  }
  return [...folders].sort();
}

function writeBlob(blobs, value) {
  const text = JSON.stringify(value);
  const digest = createHash("sha256").update(text).digest("hex");
  replaceFile(path.join(blobs, digest), text);
  return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}

/** Readers see the old contents or the new, never a part. */
function replaceFile(file, text) {
  const temporary = `${file}.${randomBytes(8).toString("hex")}`;
  fs.writeFileSync(temporary, text);
  fs.renameSync(temporary, file);
}

module.exports = { buildImages };

if (require.main === module) {
  buildImages(path.resolve(process.argv[2] ?? path.join(__dirname, "..", "..", ".cache", "images"))).then(
    ({ images: built }) => {
      for (const { name, digest } of built) {
        console.log(`${name} ${digest}`);
      }
    },
    (error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
}
