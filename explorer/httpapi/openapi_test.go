package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/explorer/httpapi"
	"github.com/aitbc/aitbc/internal/openapitest"
	"github.com/aitbc/aitbc/market"
)

var update = flag.Bool("update", false, "write openapi.json")

// The document is made of the routes and of the types of their answers, so it
// describes every route and no other.
func TestOpenAPIDescribesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(want.Bytes(), httpapi.OpenAPI) {
		t.Error("openapi.json is not that of the routes: go test ./explorer/httpapi -update")
	}
}

func TestOpenAPIReferencesResolve(t *testing.T) {
	t.Parallel()
	openapitest.References(t, httpapi.OpenAPI)
}

type object = map[string]any

func document() object {
	schemas := object{"Error": object{
		"type": "object", "required": []string{"error"},
		"properties": object{"error": object{"type": "object", "required": []string{"code", "message"}, "properties": object{
			"code": object{"type": "string"}, "message": object{"type": "string"}, "details": object{"type": "object"},
		}}},
	}}
	failed := object{"description": "Refused: the code says why.", "content": object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Error"}}}}
	paths := object{}
	for _, r := range httpapi.Routes() {
		path := strings.ReplaceAll(r.Path, "...}", "}")
		params := []object{}
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				params = append(params, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
			}
		}
		names := r.Query
		if r.Table {
			names = append(append([]string{}, names...), "format")
		}
		for _, name := range names {
			params = append(params, object{"name": name, "in": "query", "schema": object{"type": "string"}})
		}
		done := object{"description": "Done."}
		if r.Answer != nil {
			done["content"] = object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.Answer), schemas)}}
			if r.Table {
				done["content"].(object)["text/csv"] = object{"schema": object{"type": "string"}}
			}
		}
		at, ok := paths[path].(object)
		if !ok {
			at = object{}
			paths[path] = at
		}
		operation := object{"summary": r.Summary, "parameters": params, "responses": object{"200": done, "default": failed}}
		if r.Body != nil {
			operation["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(r.Body), schemas)}}}
		}
		at[strings.ToLower(r.Method)] = operation
	}
	return object{
		"openapi": "3.1.0", "info": object{"title": "AITBC explorer", "version": "1", "license": object{"name": "MIT", "identifier": "MIT"}},
		"paths": paths, "components": object{"schemas": schemas},
	}
}

// schemaOf describes a type as encoding/json writes it.
func schemaOf(t reflect.Type, schemas object) object {
	text := func(pattern string) object { return object{"type": "string", "pattern": pattern} }
	switch t {
	case reflect.TypeFor[market.Amount]():
		return text("^[0-9]+$")
	case reflect.TypeFor[common.Address]():
		return text("^0x[0-9a-fA-F]{40}$")
	case reflect.TypeFor[common.Hash]():
		return text("^0x[0-9a-f]{64}$")
	case reflect.TypeFor[hexutil.Bytes]():
		return text("^0x([0-9a-f]{2})*$")
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{schemaOf(t.Elem(), schemas), {"type": "null"}}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "format": "byte"}
		}
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Struct:
		name := strings.NewReplacer("github.com/aitbc/aitbc/explorer/httpapi.", "", "[", "Of", "]", "").Replace(t.Name())
		if _, ok := schemas[name]; !ok {
			schemas[name] = object{} // while it is made, for one that names itself
			schemas[name] = structOf(t, schemas)
		}
		return object{"$ref": "#/components/schemas/" + name}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Map:
		return object{"type": "object"}
	default:
		return object{"type": "integer"}
	}
}

func structOf(t reflect.Type, schemas object) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		properties[name] = schemaOf(f.Type, schemas)
		if opts == "string" {
			properties[name] = object{"type": "string"}
		}
		if !strings.HasPrefix(opts, "omit") {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}
