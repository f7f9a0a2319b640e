"use strict";

// Runs one operation of a compiled Pulumi program through the Automation API and prints its outputs and the number of
// changes by kind as JSON: node run-program.cjs up|preview|destroy <program.js>
const { mkdirSync } = require("node:fs");
const { join, resolve } = require("node:path");
const { LocalWorkspace } = require("@pulumi/pulumi/automation");

const [operation, file] = process.argv.slice(2);

async function main() {
  const workDir = join(process.env.DCX_HOME, "program");
  mkdirSync(workDir, { recursive: true });
  const stack = await LocalWorkspace.createOrSelectStack(
    { projectName: "typescript", stackName: "test", program: async () => require(resolve(file)) },
    {
      workDir,
      projectSettings: {
        name: "typescript",
        runtime: "nodejs",
        plugins: { providers: [{ name: "dcx", path: resolve(__dirname, "..", "..", "provider", "bin") }] },
      },
    },
  );
  await stack.setConfig("dcx:network", { value: "embedded" });
  const result = await stack[operation]({ onOutput: (text) => process.stderr.write(text) });
  const outputs = Object.fromEntries(Object.entries(await stack.outputs()).map(([key, { value }]) => [key, value]));
  process.stdout.write(
    JSON.stringify({ outputs, changes: result.changeSummary ?? result.summary?.resourceChanges ?? {} }),
  );
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
