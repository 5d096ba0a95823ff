package api

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every route has a curl example in docs/api.md, and every example there is a request that the routes understand.
func TestDocsHaveAnExampleOfEveryRoute(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{"GET /api/openapi.yaml": strings.Contains(string(text), "/api/openapi.yaml")}
	for line := range strings.Lines(string(text)) {
		target := regexp.MustCompile(`\$B(/api/[^" ]*)`).FindStringSubmatch(line)
		if !strings.HasPrefix(line, "curl ") || target == nil {
			continue
		}
		method, body := http.MethodGet, ""
		path := strings.TrimSpace(target[1])
		token := ""
		if data := regexp.MustCompile(` -d ('([^']*)'|"((?:[^"\\]|\\.)*)")`).FindStringSubmatch(line); data != nil {
			method, body = http.MethodPost, data[2]
			if data[3] != "" {
				body = strings.ReplaceAll(strings.ReplaceAll(data[3], `\"`, `"`), "$HTTP_TOKEN", secret)
			}
		}
		if strings.HasSuffix(path, "log"+"in") {
			token = secret
		}
		if strings.HasSuffix(path, "/live") {
			method = http.MethodHead
		}
		r := newRig(t, token)
		r.letter.At.Partition = 0
		w := r.ask(method, path, body)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", strings.TrimSpace(line), w.Code, w.Body)
		}
		if method == http.MethodHead {
			method = http.MethodGet
		}
		path, _, _ = strings.Cut(path, "?")
		shown[method+" "+strings.Replace(path, "/0-17", "/{id}", 1)] = true
	}
	for _, known := range newRig(t, "").api.list() {
		if !shown[known.method+" "+known.path] {
			t.Errorf("docs/api.md has no example of %s %s", known.method, known.path)
		}
	}
}
