package contract

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// document is the OpenAPI document of a running service, and what of it has been seen.
type document struct {
	t         *testing.T
	model     *v3.Document
	validator validator.Validator
	seen      map[string]bool // "GET /api/v1/status 200"
}

func load(t *testing.T, text []byte) *document {
	t.Helper()
	parsed, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	model, err := parsed.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	v, problems := validator.NewValidator(parsed, config.WithFormatAssertions(), config.WithoutSecurityValidation(), config.WithRejectUndeclaredRequestBody())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if ok, wrong := v.ValidateDocument(); !ok {
		t.Fatalf("it is no OpenAPI 3.1: %s", texts(wrong))
	}
	return &document{t: t, model: &model.Model, validator: v, seen: map[string]bool{}}
}

// operations are all pairs of operation and status in the document.
func (d *document) operations() []string {
	var list []string
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for status := range operation.Responses.Codes.FromOldest() {
				list = append(list, strings.ToUpper(method)+" "+path+" "+status)
			}
		}
	}
	slices.Sort(list)
	return list
}

// template is the path of the document that a request is for.
func (d *document) template(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if rest, ok := strings.CutPrefix(path, "/api/v1/dead-letters/"); ok && rest != "counts" && rest != "replay" {
		return "/api/v1/dead-letters/{id}"
	}
	return path
}

// check asks and holds the answer against the document, and the request too when it was understood.
func (d *document) check(e *engine, c call, status int) answer {
	d.t.Helper()
	a := e.ask(c)
	d.judge(e, c, status, a)
	return a
}

func (d *document) judge(e *engine, c call, status int, a answer) {
	d.t.Helper()
	name := c.method + " " + d.template(c.path) + " " + strconv.Itoa(a.status)
	d.seen[name] = true
	if a.status != status {
		d.t.Errorf("%s %s: %d, want %d: %s", c.method, c.path, a.status, status, a.body)
		return
	}
	request := e.request(d.t.Context(), c)
	if request.URL.Query().Has("group.locale") { // the validator does not know parameters by pattern
		q := request.URL.Query()
		q.Del("group.locale")
		request.URL.RawQuery = q.Encode()
	}
	if a.status == http.StatusOK {
		if ok, wrong := d.validator.ValidateHttpRequest(request); !ok {
			d.t.Errorf("the request %s %s %s is against the document: %s", c.method, c.path, c.body, texts(wrong))
		}
	}
	response := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), Request: request}
	if ok, wrong := d.validator.ValidateHttpResponse(e.request(d.t.Context(), c), response); !ok {
		d.t.Errorf("the answer of %s %s, %d, is against the document: %s\n%.2000s", c.method, c.path, a.status, texts(wrong), a.body)
	}
	kind := "application/json"
	if a.status >= 400 {
		kind = "application/problem+json"
	} else if strings.HasSuffix(c.path, ".yaml") {
		kind = "application/yaml"
	}
	if got := a.header.Get("Content-Type"); got != kind {
		d.t.Errorf("%s %s: %d is %s, want %s", c.method, c.path, a.status, got, kind)
	}
	if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		d.t.Errorf("%s %s: headers %v", c.method, c.path, a.header)
	}
}

// fits holds a document of a stream against a schema.
func (d *document) fits(schema string, data []byte) {
	d.t.Helper()
	proxy, ok := d.model.Components.Schemas.Get(schema)
	if !ok {
		d.t.Fatalf("there is no schema %s", schema)
	}
	if ok, wrong := schema_validation.NewSchemaValidator(config.WithFormatAssertions()).ValidateSchemaBytesWithVersion(proxy.Schema(), data, 3.1); !ok {
		d.t.Errorf("an event is no %s: %s\n%.2000s", schema, texts(wrong), data)
	}
}

func texts(list []*errors.ValidationError) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.Message + ": " + e.Reason + "; ")
		for _, s := range e.SchemaValidationErrors {
			b.WriteString(s.Reason + " at " + s.FieldPath + "; ")
		}
	}
	return b.String()
}
