package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"data-stream-engine/handler/view"
)

// What is served and what is described are the same routes; that answers are what the document says is test/contract's.
func TestDocumentDescribesEveryRouteAndNoOther(t *testing.T) {
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string `yaml:"operationId"`
			Summary     string
			Responses   map[string]any
		}
	}
	if err := yaml.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	described, ids := map[string]bool{}, map[string]bool{}
	for path, methods := range d.Paths {
		for method, operation := range methods {
			described[strings.ToUpper(method)+" "+path] = true
			if operation.OperationID == "" || operation.Summary == "" || ids[operation.OperationID] || operation.Responses["200"] == nil {
				t.Errorf("%s %s: %+v", method, path, operation)
			}
			ids[operation.OperationID] = true
		}
	}
	for _, r := range newRig(t, "").api.list() {
		name := r.method + " " + r.path
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
		delete(described, name)
	}
	if len(described) > 0 {
		t.Errorf("described and not there: %v", slices.Collect(maps.Keys(described)))
	}
}

// What the view does not always know is null in the document too.
func TestWhatMayNotBeKnownIsDescribedAsNull(t *testing.T) {
	type field struct {
		Type any
		Ref  string `yaml:"$ref"`
	}
	var d struct {
		Components struct {
			Schemas struct {
				Partitions struct {
					Properties map[string]struct {
						Items struct{ Properties map[string]field }
					}
				} `yaml:"Partitions"`
			}
		}
	}
	if err := yaml.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	pointers := 0
	for name, of := range map[string]reflect.Type{"source": reflect.TypeFor[view.SourcePartition](), "state": reflect.TypeFor[view.StatePartition]()} {
		for _, f := range reflect.VisibleFields(of) {
			member, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.Type.Kind() != reflect.Pointer || options != "" {
				continue
			}
			pointers++
			described := d.Components.Schemas.Partitions.Properties[name].Items.Properties[member]
			if !strings.Contains(fmt.Sprint(described.Type), "null") && !strings.Contains(described.Ref, "Maybe") {
				t.Errorf("%s: %s may be null, and is described as %+v", name, member, described)
			}
		}
	}
	if pointers < 6 {
		t.Errorf("%d members were looked at", pointers)
	}
}

func TestDocumentIsServed(t *testing.T) {
	w := newRig(t, "").ask("GET", "/api/openapi.yaml", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/yaml" || !strings.HasPrefix(w.Body.String(), "openapi: 3.1.0\n") {
		t.Errorf("%d %v %.100s", w.Code, w.Header(), w.Body)
	}
}
