// Package deploy checks what is deployed: every object of deploy/kubernetes against the types that are published for it, and
// what the files promise each other. It is a module of its own: nobody who builds the service needs those types.
package deploy

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	manifests = root + "/deploy/kubernetes"
)

// objects are what an overlay makes, by kind.
type objects map[string][]any

// build builds a folder as kubectl does, and decodes each object strictly: a key that its type does not have is a mistake.
func build(t *testing.T, dir string) objects {
	t.Helper()
	return buildIn(t, manifests, dir)
}

func buildIn(t *testing.T, top, dir string) objects {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), top+"/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	all := objects{}
	for _, r := range made.Resources() {
		kind := r.GetApiVersion() + " " + r.GetKind()
		object := map[string]func() any{
			"v1 ServiceAccount":                       func() any { return new(core.ServiceAccount) },
			"v1 Service":                              func() any { return new(core.Service) },
			"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
			"v1 Secret":                               func() any { return new(core.Secret) },
			"apps/v1 StatefulSet":                     func() any { return new(apps.StatefulSet) },
			"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
			"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
			"autoscaling/v2 HorizontalPodAutoscaler":  func() any { return new(autoscaling.HorizontalPodAutoscaler) },
			"keda.sh/v1alpha1 ScaledObject":           func() any { return new(map[string]any) },
			"keda.sh/v1alpha1 TriggerAuthentication":  func() any { return new(map[string]any) },
			"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
			"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
		}[kind]
		if object == nil {
			t.Errorf("%s: %s %s: this test does not know the kind", dir, kind, r.GetName())
			continue
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		o := object()
		if err := yaml.UnmarshalStrict(text, o); err != nil {
			t.Errorf("%s: %s %s: %v", dir, kind, r.GetName(), err)
		}
		all[r.GetKind()] = append(all[r.GetKind()], o)
	}
	return all
}

// one is the only object of a type.
func one[T any](t *testing.T, all objects, kind string) *T {
	t.Helper()
	if len(all[kind]) != 1 {
		t.Fatalf("%d objects of kind %s", len(all[kind]), kind)
	}
	return all[kind][0].(*T)
}

func TestOverlaysAreWhatKubernetesTakes(t *testing.T) {
	for dir, kinds := range map[string][]string{
		".":                    {"Secret", "StatefulSet"},
		"overlays/development": {"ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Service", "ServiceAccount", "StatefulSet"},
		"overlays/production":  {"ConfigMap", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet"},
	} {
		all := build(t, dir)
		for _, kind := range kinds {
			if len(all[kind]) == 0 {
				t.Errorf("%s makes no %s", dir, kind)
			}
		}
	}
}

// production is that overlay with another line in it.
func production(t *testing.T, line, instead string) objects {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(manifests)); err != nil {
		t.Fatal(err)
	}
	file := copied + "/overlays/production/kustomization.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(line)) {
		t.Fatalf("the overlay has no %q", line)
	}
	text = bytes.ReplaceAll(text, []byte(line), []byte(instead))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return buildIn(t, copied, "overlays/production")
}

// Who asks an engine that speaks HTTPS has to speak it too.
func TestProbesSpeakHTTPSWhenTheEngineDoes(t *testing.T) {
	all := production(t, "# - ../../components/https", "- ../../components/https")
	pod := one[apps.StatefulSet](t, all, "StatefulSet").Spec.Template.Spec
	c := pod.Containers[0]
	for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if probe.HTTPGet.Scheme != core.URISchemeHTTPS {
			t.Errorf("%s is asked by %s", probe.HTTPGet.Path, probe.HTTPGet.Scheme)
		}
	}
	if e := one[monitoring.ServiceMonitor](t, all, "ServiceMonitor").Spec.Endpoints[0]; e.Scheme == nil || *e.Scheme != "https" || e.TLSConfig == nil {
		t.Errorf("Prometheus asks by %+v", e)
	}
	for _, name := range []string{"HTTP_TLS_CERT_FILE", "HTTP_TLS_KEY_FILE"} {
		i := slices.IndexFunc(c.Env, func(e core.EnvVar) bool { return e.Name == name })
		if i < 0 || !slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return strings.HasPrefix(c.Env[i].Value, m.MountPath+"/") }) {
			t.Errorf("%s names no file that is there", name)
		}
	}
}

// KEDA takes the place of the autoscaler that Kubernetes has; two of them would pull at the same number.
func TestKEDAIsAnAlternative(t *testing.T) {
	all := production(t, "components/hpa # or ../../components/keda-sasl", "components/keda-sasl")
	if len(all["HorizontalPodAutoscaler"]) != 0 {
		t.Error("both autoscalers at once")
	}
	object := *one[map[string]any](t, all, "ScaledObject")
	authentication := *one[map[string]any](t, all, "TriggerAuthentication")
	problems := append(kedaSchema(t, "scaledobjects").problems("ScaledObject", object), kedaSchema(t, "triggerauthentications").problems("TriggerAuthentication", authentication)...)
	for _, problem := range problems {
		t.Error(problem)
	}
	spec := object["spec"].(map[string]any)
	if target := spec["scaleTargetRef"].(map[string]any); target["name"] != one[apps.StatefulSet](t, all, "StatefulSet").Name {
		t.Errorf("it scales %v", target)
	}
	// It logs in as the pods do.
	trigger := spec["triggers"].([]any)[0].(map[string]any)
	if ref := trigger["authenticationRef"].(map[string]any)["name"]; ref != authentication["metadata"].(map[string]any)["name"] {
		t.Errorf("it logs in by %v", ref)
	}
	data := map[string]string{}
	for _, o := range all["ConfigMap"] {
		maps.Copy(data, o.(*core.ConfigMap).Data)
	}
	if m := trigger["metadata"].(map[string]any); data["KAFKA_SECURITY_PROTOCOL"] != "SASL_SSL" || data["KAFKA_SASL_MECHANISM"] != "SCRAM-SHA-512" || m["sasl"] != "scram_sha512" || m["tls"] != "enable" ||
		data[m["bootstrapServersFromEnv"].(string)] == "" {
		t.Errorf("the pods have %v, the trigger %v", data, m)
	}
}

// What Pod Security calls restricted, and what this service needs beyond it.
func TestPodsMayDoNothingThatTheyNeedNot(t *testing.T) {
	for _, dir := range []string{"overlays/development", "overlays/production"} {
		pod := one[apps.StatefulSet](t, build(t, dir), "StatefulSet").Spec.Template.Spec
		c := pod.Containers[0]
		switch s := c.SecurityContext; {
		case len(pod.Containers) != 1 || pod.HostNetwork || pod.HostPID || pod.HostIPC:
			t.Error("another container, or the host's name spaces")
		case pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault:
			t.Error("it may run as root, or call anything")
		case *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0:
			t.Error("it may get rights, or write to its own files")
		case pod.EnableServiceLinks == nil || *pod.EnableServiceLinks || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken:
			t.Error("it gets variables or a token that it has no use for")
		case c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil:
			t.Error("a probe is missing")
		case c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero():
			t.Error("it has no limit of memory, or asks for no processor")
		}
		for _, m := range c.VolumeMounts {
			if m.SubPath != "" {
				t.Errorf("%s is a file alone, which never changes", m.MountPath)
			}
		}
		for _, e := range c.Env {
			if strings.HasSuffix(e.Name, "TOKEN") || strings.HasSuffix(e.Name, "PASSWORD") || strings.HasSuffix(e.Name, "KEY") {
				t.Errorf("%s is a secret in the environment", e.Name)
			}
		}
	}
}

// Each pod is a static member of the group: it has its own name for as long as it exists, and time to commit before its end.
func TestPodsKeepTheirNamesAndHaveTimeToEnd(t *testing.T) {
	all := build(t, "overlays/production")
	set := one[apps.StatefulSet](t, all, "StatefulSet")
	pod := set.Spec.Template.Spec
	i := slices.IndexFunc(pod.Containers[0].Env, func(e core.EnvVar) bool { return e.Name == "INSTANCE_ID" })
	if i < 0 || pod.Containers[0].Env[i].ValueFrom.FieldRef.FieldPath != "metadata.name" {
		t.Error("INSTANCE_ID is not the pod's name")
	}
	if set.Spec.Replicas != nil {
		t.Error("the number of replicas is the autoscaler's, and every apply would set it back")
	}
	var settings *core.ConfigMap
	for _, o := range all["ConfigMap"] {
		if c := o.(*core.ConfigMap); c.Data["SHUTDOWN_TIMEOUT"] != "" {
			settings = c
		}
	}
	if settings == nil || settings.Data["SHUTDOWN_TIMEOUT"] != "20s" || *pod.TerminationGracePeriodSeconds < 20+2+3 {
		t.Errorf("the pod is killed after %d s, SHUTDOWN_TIMEOUT and 2 s beyond it are not over then", *pod.TerminationGracePeriodSeconds)
	}
	if hpa := one[autoscaling.HorizontalPodAutoscaler](t, all, "HorizontalPodAutoscaler"); hpa.Spec.ScaleTargetRef.Name != set.Name {
		t.Error("the autoscaler scales something else")
	}
}

// What selects pods selects these pods, and what names an object names one that is there.
func TestObjectsFindEachOther(t *testing.T) {
	for _, dir := range []string{"overlays/development", "overlays/production"} {
		all := build(t, dir)
		set := one[apps.StatefulSet](t, all, "StatefulSet")
		selects := func(what string, selector map[string]string) {
			t.Helper()
			for k, v := range selector {
				if set.Spec.Template.Labels[k] != v {
					t.Errorf("%s: %s wants %s=%s, the pods have %q", dir, what, k, v, set.Spec.Template.Labels[k])
				}
			}
			if len(selector) == 0 {
				t.Errorf("%s: %s selects everything", dir, what)
			}
		}
		names := map[string]bool{}
		scraped := 0
		for _, o := range all["Service"] {
			s := o.(*core.Service)
			selects("service "+s.Name, s.Spec.Selector)
			names[s.Name] = true
			if s.Labels["data-stream-engine/scrape"] == "true" {
				scraped++
			}
		}
		if !names[set.Spec.ServiceName] || scraped != 1 {
			t.Errorf("%s: services %v, %d of them are scraped", dir, names, scraped)
		}
		selects("the disruption budget", one[policy.PodDisruptionBudget](t, all, "PodDisruptionBudget").Spec.Selector.MatchLabels)
		selects("the network policy", one[networking.NetworkPolicy](t, all, "NetworkPolicy").Spec.PodSelector.MatchLabels)
		configs := map[string]bool{}
		for _, o := range all["ConfigMap"] {
			configs[o.(*core.ConfigMap).Name] = true
		}
		for _, from := range set.Spec.Template.Spec.Containers[0].EnvFrom {
			if !configs[from.ConfigMapRef.Name] {
				t.Errorf("%s: there is no ConfigMap %s", dir, from.ConfigMapRef.Name)
			}
		}
		for _, v := range set.Spec.Template.Spec.Volumes {
			if v.ConfigMap != nil && !configs[v.ConfigMap.Name] {
				t.Errorf("%s: there is no ConfigMap %s", dir, v.ConfigMap.Name)
			}
		}
	}
	monitor := one[monitoring.ServiceMonitor](t, build(t, "overlays/production"), "ServiceMonitor")
	if _, err := meta.LabelSelectorAsSelector(&monitor.Spec.Selector); err != nil {
		t.Error(err)
	}
}

// The files that stand twice, since kustomize reads nothing outside of its folder, are the same.
func TestCopiesAreCopies(t *testing.T) {
	same(t, "pipeline.yaml", "deploy/kubernetes/base/pipeline.yaml")
	rule := one[monitoring.PrometheusRule](t, build(t, "overlays/production"), "PrometheusRule")
	var groups []monitoring.RuleGroup
	for _, file := range []string{"recording.yml", "alerts.yml"} {
		var f struct{ Groups []monitoring.RuleGroup }
		if err := yaml.UnmarshalStrict(read(t, "deploy/prometheus/rules/"+file), &f); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, f.Groups...)
	}
	a, errA := yaml.Marshal(groups)
	b, errB := yaml.Marshal(rule.Spec.Groups)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Error("components/monitoring/prometheusrule.yaml is not made of deploy/prometheus/rules: run scripts/deploy.sh rules")
	}
}

func same(t *testing.T, a, b string) {
	t.Helper()
	if !bytes.Equal(read(t, a), read(t, b)) {
		t.Errorf("%s differs from %s", b, a)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every alert has a runbook, and says with which number it fires.
func TestAlertsHaveRunbooks(t *testing.T) {
	rule := one[monitoring.PrometheusRule](t, build(t, "overlays/production"), "PrometheusRule")
	runbooks := strings.ToLower(string(read(t, "docs/runbooks.md")))
	tests := string(read(t, "deploy/prometheus/tests/alerts.yml"))
	for _, g := range rule.Spec.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			anchor, ok := strings.CutPrefix(r.Annotations["runbook_url"], "docs/runbooks.md#")
			if !ok || !strings.Contains(runbooks, "\n## "+anchor+"\n") {
				t.Errorf("%s has no section in docs/runbooks.md: %s", r.Alert, anchor)
			}
			if r.Labels["severity"] != "critical" && r.Labels["severity"] != "warning" {
				t.Errorf("%s is neither critical nor a warning", r.Alert)
			}
			if strings.Count(tests, "alertname: "+r.Alert+"\n        exp_alerts: []") == 0 || strings.Count(tests, "alertname: "+r.Alert+"\n        exp_alerts:\n") == 0 {
				t.Errorf("%s is not tested firing and not firing", r.Alert)
			}
		}
	}
}
