import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { applicationFileSchemaText } from "../application-file/editor-schema";
import { schemaText } from "./package-schema";

// Run by `npm run generate`: writes the schemas where the Pulumi registry looks for it in a tag.
const folder = resolve(__dirname, "..", "..", "cmd", "pulumi-resource-dcx");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "schema.json"), schemaText());
writeFileSync(join(folder, "application.schema.json"), applicationFileSchemaText());
