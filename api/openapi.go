package api

import _ "embed" // for the document

// OpenAPI describes the coordinator's routes, as OpenAPI 3.1 JSON. A test in
// coordinator/httpapi compares it with what is served.
//
//go:embed openapi.json
var OpenAPI []byte
