package httpapi

import (
	_ "embed"
	"net/http"
)

// OpenAPI is the document of the interface. A test makes it of the routes and
// the types of their answers.
//
//go:embed openapi.json
var OpenAPI []byte

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(OpenAPI)
	return err
}
