"use strict";

/**
 * What runs first in the plugin's executable, which is a Node.js with this file in it: it decides what the process is.
 *
 *   pulumi-resource-dcx [the engine's arguments]      the plugin
 *   pulumi-resource-dcx dcx <arguments>               the `dcx` command
 *   pulumi-resource-dcx [--flag=…] <file of lib>      as `node` would run it: so do dcx's own processes start others
 *
 * The code lies beside the executable, in `lib`: what is loaded lazily stays in files of its own, which starts faster
 * than one large script, and packages with machine code can be loaded from files only.
 */
const { createRequire } = require("node:module");
const path = require("node:path");
const v8 = require("node:v8");

const lib = path.join(path.dirname(process.execPath), "lib");
// Here `require` knows Node's own modules only, and `import` nothing.
const fromLib = createRequire(path.join(lib, "_"));

const isOurs = (file) => path.isAbsolute(file) && !path.relative(lib, file).startsWith("..");

const given = process.argv.slice(2);
const first = given.findIndex((argument) => !argument.startsWith("--"));

if (given[0] === "dcx") {
  run(path.join(lib, "cli", "bundle", "main.mjs"), given.slice(1));
} else if (first !== -1 && isOurs(given[first])) {
  for (const flag of given.slice(0, first)) {
    // The rest are Node's own, and about what it prints.
    if (flag.startsWith("--max-")) {
      v8.setFlagsFromString(flag);
    }
  }
  run(given[first], given.slice(first + 1));
} else {
  // The heap is looked at when it has grown by a quarter, not when it is four times what it was. In provider/bin its
  // greatest size says so, which is fixed once this runs and would be too little for what `dcx` can be.
  v8.setFlagsFromString("--heap-growing-percent=25");
  // They look up names and read files: a second one, so that a name server which does not answer holds up no file.
  process.env.UV_THREADPOOL_SIZE ??= "2";
  run(path.join(lib, "provider", "provider.cjs"), given);
}

function run(file, args) {
  process.argv = [process.execPath, file, ...args];
  fromLib("./import.cjs")(file);
}
