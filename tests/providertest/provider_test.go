// Package providertest runs the plugin through github.com/pulumi/providertest, the library that Pulumi's own providers
// are tested with: what it finds in order here, it finds in order there. tests/providertest.spec.ts runs it in a world
// of its own and names each step in the report.
package providertest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/providertest/pulumitest"
	"github.com/pulumi/providertest/pulumitest/assertpreview"
	"github.com/pulumi/providertest/pulumitest/assertrefresh"
	"github.com/pulumi/providertest/pulumitest/assertup"
	"github.com/pulumi/providertest/pulumitest/opttest"
)

// bin is the folder that holds pulumi-resource-dcx.
func bin(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "provider", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(path, "pulumi-resource-dcx")); err != nil {
		t.Fatalf("build the plugin first (npm run build): %v", err)
	}
	return path
}

// step runs one part of a life; what follows a part that failed would only repeat its failure.
func step(t *testing.T, name string, part func(t *testing.T)) {
	t.Helper()
	if !t.Run(name, part) {
		t.FailNow()
	}
}

// The engine starts the plugin for each operation.
func TestInstalled(t *testing.T) {
	test := pulumitest.NewPulumiTest(t, filepath.Join("testdata", "hello"),
		opttest.LocalProviderPath("dcx", bin(t)), opttest.SkipInstall())
	step(t, "preview", func(t *testing.T) {
		preview := test.Preview(t)
		assertpreview.HasNoDeletes(t, preview)
		assertpreview.HasNoReplacements(t, preview)
		if created := preview.ChangeSummary["create"]; created != 2 {
			t.Fatalf("creates %d resources, not the stack and the deployment", created)
		}
	})
	step(t, "up", func(t *testing.T) {
		up := test.Up(t)
		if url, ok := up.Outputs["url"].Value.(string); !ok || url == "" {
			t.Fatalf("the output url is %v", up.Outputs["url"].Value)
		}
	})
	step(t, "the gRPC log", func(t *testing.T) {
		// Of the up above: each operation begins a new one.
		creates, err := test.GrpcLog(t).Creates()
		if err != nil {
			t.Fatal(err)
		}
		if len(creates) == 0 {
			t.Fatal("nothing was created")
		}
		last := &creates[len(creates)-1]
		if last.Request.Preview || last.Response.Id == "" || !last.Response.RefreshBeforeUpdate {
			t.Fatalf("the last create was answered with %v", last.Response)
		}
	})
	step(t, "preview without a change", func(t *testing.T) {
		assertpreview.HasNoChanges(t, test.Preview(t))
	})
	step(t, "refresh without a change", func(t *testing.T) {
		assertrefresh.HasNoChanges(t, test.Refresh(t))
		assertpreview.HasNoChanges(t, test.Preview(t))
	})
	step(t, "up without a change", func(t *testing.T) {
		assertup.HasNoChanges(t, test.Up(t))
	})
	step(t, "update in place", func(t *testing.T) {
		test.SetConfig(t, "image", "dcx.example/two-tier-api:1.1")
		preview := test.Preview(t)
		assertpreview.HasNoDeletes(t, preview)
		assertpreview.HasNoReplacements(t, preview)
		up := test.Up(t)
		assertup.HasNoReplacements(t, up)
		assertpreview.HasNoChanges(t, test.Preview(t))
	})
	step(t, "destroy", func(t *testing.T) {
		test.Destroy(t)
		state, err := test.CurrentStack().Export(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var deployment struct {
			Resources []json.RawMessage `json:"resources"`
		}
		if err := json.Unmarshal(state.Deployment, &deployment); err != nil {
			t.Fatal(err)
		}
		if len(deployment.Resources) != 0 {
			t.Fatalf("%d resources are left", len(deployment.Resources))
		}
	})
}

// One plugin serves all operations, as where somebody debugs it.
func TestAttached(t *testing.T) {
	test := pulumitest.NewPulumiTest(t, filepath.Join("testdata", "hello"),
		opttest.AttachProviderBinary("dcx", bin(t)), opttest.SkipInstall())
	step(t, "up", func(t *testing.T) {
		assertup.HasNoDeletes(t, test.Up(t))
	})
	step(t, "preview without a change", func(t *testing.T) {
		assertpreview.HasNoChanges(t, test.Preview(t))
	})
	step(t, "destroy", func(t *testing.T) {
		test.Destroy(t)
	})
}
