// Package writer puts generated SDKs where they belong. It is shared by the generators, whatever version of Pulumi's
// they use.
package writer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Tool names the generators in the first line of each generated file.
const Tool = "sdkgen"

// ours are files that the generators would write too and that this repository keeps itself: the TypeScript SDK is a
// part of the workspace, with its one lockfile, compiler and build; what is said of each SDK is in its README.
var ours = map[string]bool{
	"nodejs/package.json": true, "nodejs/tsconfig.json": true, "nodejs/.gitignore": true, "nodejs/.gitattributes": true,
	"nodejs/README.md": true, "dotnet/README.md": true, "java/README.md": true, "java/settings.gradle": true,
}

// listName is the file in an SDK's directory that names what was generated there: not every generated file can carry
// a mark of its own.
const listName = ".generated"

// Generator yields file contents by path, for the package schema in JSON and its README.
type Generator func(schema []byte) (map[string][]byte, error)

// Main generates the SDKs of the languages that the arguments name, or of all that there are, each into the directory
// named by the language in sdk. Of what an earlier run wrote there and this one does not, nothing is left; what is not
// generated is left alone. It ends the process when one of them fails.
func Main(generators map[string]Generator, arguments []string) {
	if len(arguments) < 2 {
		fail(fmt.Errorf("usage: sdkgen <schema.json> <sdk directory> [<language>...]"))
	}
	schema, err := os.ReadFile(arguments[0])
	if err != nil {
		fail(err)
	}
	wanted := arguments[2:]
	if len(wanted) == 0 {
		wanted = languages(generators)
	}
	for _, language := range wanted {
		if err := run(generators, schema, language, filepath.Join(arguments[1], language)); err != nil {
			fail(fmt.Errorf("%s: %w", language, err))
		}
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "sdkgen: %v\n", err)
	os.Exit(1)
}

func run(generators map[string]Generator, schema []byte, language, directory string) error {
	generate, known := generators[language]
	if !known {
		return fmt.Errorf("no generator here; there are: %s", strings.Join(languages(generators), ", "))
	}
	files, err := generate(schema)
	if err != nil {
		return err
	}
	for name := range files {
		if ours[language+"/"+name] {
			delete(files, name)
		}
	}
	return write(files, directory)
}

func languages(generators map[string]Generator) []string {
	var names []string
	for name := range generators {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func write(files map[string][]byte, directory string) error {
	if err := removeStale(files, directory); err != nil {
		return err
	}
	var names []string
	for name, contents := range files {
		names = append(names, name)
		if err := writeFile(filepath.Join(directory, filepath.FromSlash(name)), contents); err != nil {
			return err
		}
	}
	sort.Strings(names)
	return writeFile(filepath.Join(directory, listName), []byte(strings.Join(names, "\n")+"\n"))
}

// writeFile leaves a file alone that holds just this: compilers go by the time of a change.
func writeFile(path string, contents []byte) error {
	if before, err := os.ReadFile(path); err == nil && bytes.Equal(before, contents) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, contents, 0o644)
}

// removeStale deletes what the last run wrote and this one does not.
func removeStale(files map[string][]byte, directory string) error {
	list, err := os.ReadFile(filepath.Join(directory, listName))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(list)) {
		if _, current := files[name]; current || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		if err := os.Remove(filepath.Join(directory, filepath.FromSlash(name))); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}
