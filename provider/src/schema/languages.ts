/**
 * What the SDK generators are told about each language (pulumi/pulumi pkg/codegen/<language>/importer.go,
 * pulumi-java pkg/codegen/java/package_info.go). `respectSchemaVersion`: an SDK has the version of the plugin that it
 * was generated for, and asks for that one.
 */
export const languages: Readonly<Record<string, object>> = {
  nodejs: {
    packageName: "@dcx/pulumi",
    packageDescription: "Pulumi SDK of dcx: deploy to decentralized cloud exchanges.",
    respectSchemaVersion: true,
    dependencies: { "@pulumi/pulumi": "^3.142.0" },
  },
  python: {
    packageName: "pulumi_dcx",
    respectSchemaVersion: true,
    pyproject: { enabled: true },
    inputTypes: "classes-and-dicts",
    requires: { pulumi: ">=3.165.0,<4.0.0" },
    readme: "Pulumi SDK of dcx: deploy to decentralized cloud exchanges.",
  },
  go: {
    // A module of its own: whoever imports it takes none of the rest of the repository.
    modulePath: "github.com/dcx/dcx/sdk/go",
    importBasePath: "github.com/dcx/dcx/sdk/go/dcx",
    respectSchemaVersion: true,
    generateResourceContainerTypes: true,
  },
  csharp: {
    // Not Dcx.Dcx, which the package's name would give; not Pulumi.Dcx either, for that prefix is Pulumi's own.
    rootNamespace: "Dcx",
    namespaces: { dcx: "Sdk" },
    packageReferences: { Pulumi: "3.*" },
    respectSchemaVersion: true,
  },
  java: {
    // Gives the package dcx.sdk.
    basePackage: "dcx",
    packages: { dcx: "sdk" },
    buildFiles: "gradle",
    dependencies: { "com.pulumi:pulumi": "1.12.0", "com.google.code.gson:gson": "2.8.9" },
  },
};
