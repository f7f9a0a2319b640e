import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { schemaText } from "./package-schema";

// Run by `npm run generate`: writes the schema where the Pulumi registry looks for it in a tag.
const path = resolve(__dirname, "..", "..", "cmd", "pulumi-resource-dcx", "schema.json");
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, schemaText());
