package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// kedaModule has the schema of a ScaledObject among its files. Its Go types would bring all of the controllers' libraries.
const kedaModule = "github.com/kedacore/keda/v2@v2.18.0"

// schema is what of OpenAPI a resource definition says about one value.
type schema struct {
	Type       string             `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional *schema            `json:"additionalProperties"`
	Required   []string           `json:"required"`
	Enum       []any              `json:"enum"`
	Anything   bool               `json:"x-kubernetes-preserve-unknown-fields"`
	IntOrText  bool               `json:"x-kubernetes-int-or-string"`
}

// kedaSchema is that of KEDA's own release, of scaledobjects or another kind.
func kedaSchema(t *testing.T, kind string) *schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", kedaModule).Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil || module.Dir == "" {
		t.Fatalf("fetch %s: %v %v %s", kedaModule, err, jsonErr, module.Error)
	}
	text, err := os.ReadFile(module.Dir + "/config/crd/bases/keda.sh_" + kind + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema *schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &definition); err != nil || len(definition.Spec.Versions) != 1 {
		t.Fatalf("%d versions: %v", len(definition.Spec.Versions), err)
	}
	return definition.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// problems are keys that the schema does not have, those that it wants and are not there, and values of another type.
func (s *schema) problems(at string, value any) (found []string) {
	switch v := value.(type) {
	case map[string]any:
		if s.Type != "object" && !s.Anything {
			found = append(found, at+" is no "+s.Type)
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				found = append(found, at+" has no "+name)
			}
		}
		for name, member := range v {
			inner := s.Properties[name]
			if inner == nil {
				inner = s.Additional
			}
			switch {
			case inner != nil:
				found = append(found, inner.problems(at+"."+name, member)...)
			case !s.Anything && len(s.Properties) > 0:
				found = append(found, at+" has a "+name+", which nobody knows")
			}
		}
	case []any:
		if s.Type != "array" {
			return append(found, at+" is no "+s.Type)
		}
		for i, item := range v {
			found = append(found, s.Items.problems(fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	default:
		kind := map[string]string{"string": "string", "bool": "boolean", "float64": "number"}[fmt.Sprintf("%T", v)]
		if kind != s.Type && (kind != "number" || s.Type != "integer") && !s.IntOrText {
			found = append(found, at+" is no "+s.Type)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			found = append(found, fmt.Sprintf("%s is %v, none of %v", at, v, s.Enum))
		}
	}
	return found
}

func TestTheSchemaFindsWhatIsWrong(t *testing.T) {
	var object map[string]any
	err := yaml.Unmarshal([]byte("spec: {scaleTargetRef: {nam: x}, pollingInterval: often, triggers: {type: kafka}, advanced: {restoreToOriginalReplicaCount: 1}}"), &object)
	if err != nil {
		t.Fatal(err)
	}
	got := kedaSchema(t, "scaledobjects").problems("o", object)
	slices.Sort(got)
	want := []string{"o.spec.advanced.restoreToOriginalReplicaCount is no boolean", "o.spec.pollingInterval is no integer",
		"o.spec.scaleTargetRef has a nam, which nobody knows", "o.spec.scaleTargetRef has no name", "o.spec.triggers is no array"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
