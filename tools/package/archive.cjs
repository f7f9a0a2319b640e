"use strict";

const { createReadStream, createWriteStream, mkdirSync, readdirSync, statSync } = require("node:fs");
const path = require("node:path");
const { pipeline } = require("node:stream/promises");
const { createGzip } = require("node:zlib");
const tar = require("tar-stream");

/**
 * Packs the files of a folder, sorted and without owners or times: the same files give the same bytes. No entry is a
 * link, for Pulumi unpacks none.
 */
async function pack(folder, archive) {
  const stream = tar.pack();
  mkdirSync(path.dirname(archive), { recursive: true });
  const written = pipeline(stream, createGzip(), createWriteStream(archive));
  for (const name of files(folder)) {
    const file = path.join(folder, name);
    const { size, mode } = statSync(file);
    const entry = stream.entry({ name, size, mode: mode & 0o111 ? 0o755 : 0o644, mtime: new Date(0) });
    await pipeline(createReadStream(file), entry);
  }
  stream.finalize();
  await written;
}

function files(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .sort();
}

module.exports = { pack };
