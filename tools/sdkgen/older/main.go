// Command older writes the SDKs for .NET and Java from the provider's schema, as sdkgen does for the other languages.
// Their generators follow other versions of Pulumi, so this is a module of its own.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

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
			return java.GeneratePackage(writer.Tool, pkg, nil, nil, false, false)
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
		pkg, err := schema.ImportSpec(spec, nil, schema.ValidationOptions{})
		if err != nil {
			return nil, fmt.Errorf("the schema does not describe a package: %w", err)
		}
		return generate(pkg)
	}
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
