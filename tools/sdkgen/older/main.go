// Command older writes the SDKs for .NET and Java from the provider's schema, as sdkgen does for the other languages.
// Their generators follow other versions of Pulumi, so this is a module of its own.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"

	"github.com/blang/semver"
	"github.com/dcx/dcx/tools/sdkgen/writer"
	"github.com/pulumi/pulumi-java/pkg/codegen/java"
	"github.com/pulumi/pulumi/pkg/v3/codegen/dotnet"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

//go:embed logo.png
var logo []byte

func main() {
	// The .NET generator fetches the package's logo. What it gets is ours, from here.
	http.DefaultTransport = logoOnly{}
	writer.Main(map[string]writer.Generator{
		"dotnet": bound(func(pkg *schema.Package) (map[string][]byte, error) {
			return dotnet.GeneratePackage(writer.Tool, pkg, nil, nil)
		}),
		"java": bound(func(pkg *schema.Package) (map[string][]byte, error) {
			files, err := java.GeneratePackage(writer.Tool, pkg, nil, nil, false, false)
			if err != nil {
				return nil, err
			}
			return files, withoutMirror(files)
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
		pkg, problems, err := schema.BindSpec(spec, noPackages{}, schema.ValidationOptions{})
		if err == nil && problems.HasErrors() {
			err = problems
		}
		if err != nil {
			return nil, fmt.Errorf("the schema does not describe a package: %w", err)
		}
		return generate(pkg)
	}
}

// mirror is a repository that the generated build would ask before Maven Central itself.
var mirror = regexp.MustCompile(`(?m)^ +maven \{ // [^\n]*\n[^\n]*\n +\}\n`)

func withoutMirror(files map[string][]byte) error {
	text := files["build.gradle"]
	if len(mirror.FindAll(text, -1)) != 1 {
		return fmt.Errorf("build.gradle does not name the one mirror that is to be taken out of it")
	}
	files["build.gradle"] = mirror.ReplaceAll(text, nil)
	return nil
}

// noPackages refuses to load other packages: our schema refers to none.
type noPackages struct{}

func (noPackages) LoadPackage(name string, _ *semver.Version) (*schema.Package, error) {
	return nil, fmt.Errorf("the schema refers to the package %q; sdkgen knows only the package it generates", name)
}

func (n noPackages) LoadPackageV2(_ context.Context, descriptor *schema.PackageDescriptor) (*schema.Package, error) {
	return n.LoadPackage(descriptor.Name, descriptor.Version)
}

// logoOnly answers every request with the logo, and reaches nothing.
type logoOnly struct{}

func (logoOnly) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK,
		Body:       io.NopCloser(bytes.NewReader(logo)),
		Request:    request,
	}, nil
}
