"use strict";

/**
 * Counts the test cases of every JUnit report in a folder and prints "N passed, N failed, N skipped" as the last line.
 * Fails where a test failed, where no test ran, or where a report can't be read.
 */
const { readdirSync, readFileSync } = require("node:fs");
const path = require("node:path");

const folder = process.argv[2] ?? "reports";
const total = { tests: 0, failed: 0, skipped: 0 };
let files = [];
try {
  files = readdirSync(folder).filter((name) => name.endsWith(".xml"));
} catch {
  process.stderr.write(`There is no folder of reports at ${folder}: no test ran.\n`);
}
for (const file of files) {
  const text = readFileSync(path.join(folder, file), "utf8");
  const head = /<testsuites\b[^>]*>/.exec(text)?.[0];
  const number = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head ?? "")?.[1] ?? Number.NaN);
  total.tests += number("tests");
  total.failed += number("failures") + number("errors");
  total.skipped += (text.match(/<skipped\b/g) ?? []).length;
}
const passed = total.tests - total.failed - total.skipped;
process.stdout.write(`${passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = Number.isInteger(passed) && passed > 0 && total.failed === 0 ? 0 : 1;
