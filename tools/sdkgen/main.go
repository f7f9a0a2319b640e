// Command sdkgen writes the SDKs for TypeScript, Python and Go from the provider's schema; the command in older/ writes
// the others.
//
//	sdkgen <schema.json> <sdk directory> [<language>...]
//
// They use the same generators as `pulumi package gen-sdk`, but need neither the Pulumi command line nor a language
// host.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/blang/semver"
	"github.com/dcx/dcx/tools/sdkgen/writer"
	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

func main() {
	writer.Main(map[string]writer.Generator{
		"nodejs": bound(func(pkg *schema.Package) (map[string][]byte, error) {
			return nodejs.GeneratePackage(writer.Tool, pkg, nil, nil, false, loader)
		}),
		"python": bound(func(pkg *schema.Package) (map[string][]byte, error) {
			return python.GeneratePackage(writer.Tool, pkg, nil, loader)
		}),
		"go": bound(func(pkg *schema.Package) (map[string][]byte, error) {
			return gogen.GeneratePackage(writer.Tool, pkg, nil)
		}),
	}, os.Args[1:])
}

// bound reads the schema anew for each language, for a generator changes what it is given.
func bound(generate func(*schema.Package) (map[string][]byte, error)) writer.Generator {
	return func(text []byte) (map[string][]byte, error) {
		var spec schema.PackageSpec
		if err := json.Unmarshal(text, &spec); err != nil {
			return nil, fmt.Errorf("this is not a package schema: %w", err)
		}
		pkg, err := schema.ImportSpec(spec, nil, schema.NewNullLoader(), schema.ValidationOptions{})
		if err != nil {
			return nil, fmt.Errorf("the schema does not describe a package: %w", err)
		}
		return generate(pkg)
	}
}

var loader = noPackages{schema.NewNullLoader()}

// noPackages refuses to load other packages: our schema refers to none.
type noPackages struct{ schema.Loader }

func (noPackages) LoadPackageReference(name string, _ *semver.Version) (schema.PackageReference, error) {
	return nil, fmt.Errorf("the schema refers to the package %q; sdkgen knows only the package it generates", name)
}

func (n noPackages) LoadPackageReferenceV2(
	_ context.Context, descriptor *schema.PackageDescriptor,
) (schema.PackageReference, error) {
	return n.LoadPackageReference(descriptor.Name, descriptor.Version)
}
