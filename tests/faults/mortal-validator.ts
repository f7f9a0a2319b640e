/**
 * The `dcx` command of a validator that ends itself without a warning, for tests: DCX_TEST_POINT says where, and
 * DCX_TEST_COUNT at which time that it comes there. All else is the real one.
 */
import { join } from "node:path";

const root = process.env["DCX_TEST_ROOT"] ?? "";
// The compiled one: it has to be the classes that the command uses.
const { dieAt } = require(
  join(root, "exchange", "dist", "node", "testing", "crash-points.js"),
) as typeof import("../../exchange/src/node/testing/crash-points");

dieAt(process.env["DCX_TEST_POINT"] ?? "", Number(process.env["DCX_TEST_COUNT"]));

require(join(root, "cli", "dist", "main.js"));
