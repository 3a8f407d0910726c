package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aitbc/aitbc/api"
	"github.com/aitbc/aitbc/coordinator/httpapi"
	"github.com/aitbc/aitbc/internal/openapitest"
)

func TestOpenAPIDescribesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(api.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, methods := range doc.Paths {
		for m := range methods {
			documented[strings.ToUpper(m)+" "+path] = true
		}
	}
	for _, r := range httpapi.Routes() {
		k := r.Method + " " + r.Path
		if !documented[k] {
			t.Errorf("%s is served and not in openapi.json", k)
		}
		delete(documented, k)
	}
	for k := range documented {
		t.Errorf("%s is in openapi.json and not served", k)
	}
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	openapitest.References(t, api.OpenAPI)
}
