package api

import (
	_ "embed" // the document
	"net/http"
	"strconv"
)

//go:embed openapi.yaml
var document []byte

// openAPI is the description of all this.
func openAPI(w http.ResponseWriter, r *http.Request) error {
	if err := none(r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	_, _ = w.Write(document) // the peer is gone: nobody to tell
	return nil
}
