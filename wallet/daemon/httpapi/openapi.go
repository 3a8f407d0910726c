package httpapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/aitbc/aitbc/market"
)

// document describes the routes as OpenAPI 3.1, from the types that they decode
// and encode: what is served and what is described cannot differ.
func document(routes []route) ([]byte, error) {
	schemas := map[string]any{"Error": object(map[string]any{"error": object(map[string]any{
		"code": map[string]any{"type": "string"}, "message": map[string]any{"type": "string"}, "details": map[string]any{"type": "object"},
	}, "code", "message")}, "error")}
	paths := map[string]map[string]any{
		"/health":       {"get": operation("How the daemon is.", "", nil, map[string]any{"type": "object"}, nil)},
		"/openapi.json": {"get": operation("This document.", "", nil, map[string]any{"type": "object"}, nil)},
	}
	for _, r := range routes {
		var in, out any
		if r.in != nil {
			in = schema(reflect.TypeOf(r.in), schemas)
		}
		if r.out != nil {
			out = schema(reflect.TypeOf(r.out), schemas)
		}
		if paths[r.path] == nil {
			paths[r.path] = map[string]any{}
		}
		op := operation(r.summary, r.path, in, out, []any{map[string]any{"ApiKey": []string{}}})
		if r.path == "/v1/wallet/send" || r.path == "/v1/wallet/sign" {
			op["security"] = []any{map[string]any{"ApiKey": []string{}, "Capability": []string{}}}
		}
		paths[r.path][strings.ToLower(r.method)] = op
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "AITBC wallet", "version": "1",
			"description": "A locked wallet answers 423, a missing second factor 428, a policy's refusal 403, a limit or too little money 402, too many failed attempts 429.",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas": schemas,
			"securitySchemes": map[string]any{
				"ApiKey":     map[string]any{"type": "apiKey", "in": "header", "name": "X-Api-Key"},
				"Capability": map[string]any{"type": "apiKey", "in": "header", "name": "X-Wallet-Capability"},
			},
		},
	}
	raw, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fmt.Errorf("describe routes: %w", err)
	}
	return append(raw, '\n'), nil
}

func content(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

func operation(summary, path string, in, out any, security []any) map[string]any {
	ok := map[string]any{"description": "Done."}
	status := "200"
	if out != nil {
		ok["content"] = content(out)
	} else {
		status = "204"
	}
	op := map[string]any{"summary": summary, "responses": map[string]any{
		status: ok, "default": map[string]any{"description": "Refused.", "content": content(map[string]any{"$ref": "#/components/schemas/Error"})},
	}}
	if in != nil {
		op["requestBody"] = map[string]any{"required": true, "content": content(in)}
	}
	if security != nil {
		op["security"] = security
	}
	var parameters []any
	for part := range strings.SplitSeq(path, "/") {
		if name, found := strings.CutPrefix(part, "{"); found {
			parameters = append(parameters, map[string]any{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
	}
	if path == "/v1/wallet/send" {
		parameters = append(parameters, map[string]any{"name": "Idempotency-Key", "in": "header", "schema": map[string]any{"type": "string"}})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	return op
}

func object(properties map[string]any, required ...string) map[string]any {
	o := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

var known = map[reflect.Type]map[string]any{
	reflect.TypeFor[common.Address]():  {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
	reflect.TypeFor[common.Hash]():     {"type": "string", "pattern": "^0x[0-9a-f]{64}$"},
	reflect.TypeFor[hexutil.Bytes]():   {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"},
	reflect.TypeFor[market.Amount]():   {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "description": "base units of 10^-18 AITBC"},
	reflect.TypeFor[json.RawMessage](): {},
}

// schema describes a type, and puts structs among the named schemas.
func schema(t reflect.Type, schemas map[string]any) any {
	if t.Kind() == reflect.Pointer {
		return schema(t.Elem(), schemas)
	}
	if s, ok := known[t]; ok {
		return s
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schema(t.Elem(), schemas)}
	case reflect.Struct:
		if _, there := schemas[t.Name()]; !there {
			schemas[t.Name()] = nil // a type that holds itself ends here
			properties, required := fields(t, schemas)
			schemas[t.Name()] = object(properties, required...)
		}
		return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
	default:
		panic("httpapi: no schema of " + t.String())
	}
}

func fields(t reflect.Type, schemas map[string]any) (properties map[string]any, required []string) {
	properties = map[string]any{}
	for f := range t.Fields() {
		if f.Anonymous {
			inner, must := fields(f.Type, schemas)
			maps.Copy(properties, inner)
			required = append(required, must...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		s := schema(f.Type, schemas)
		if strings.Contains(options, "string") {
			s = map[string]any{"type": "string"}
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return properties, required
}
