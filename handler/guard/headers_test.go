package guard

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHeadersOfEveryAnswer(t *testing.T) {
	h := Headers(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct{ url, hsts string }{
		{"http://engine.example/", ""}, {"https://engine.example/", "max-age=31536000"}, {"https://localhost:8080/", ""}, {"https://127.0.0.1:8080/", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.url, nil))
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": c.hsts, "Access-Control-Allow-Origin": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", c.url, name, got)
			}
		}
	}
}

func TestOtherPagesAreRefused(t *testing.T) {
	refused := 0
	h := SameOrigin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "/api/", func(w http.ResponseWriter, _ *http.Request, err error) {
		var d *Denied
		if !errors.As(err, &d) {
			t.Errorf("%v", err)
		}
		refused++
		w.WriteHeader(d.Status)
	})
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"a program", http.MethodPost, "/api/v1/pause", nil, 200},
		{"our page", http.MethodPost, "/api/v1/pause", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://engine.example"}, 200},
		{"another site's page", http.MethodPost, "/api/v1/pause", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another page of the site", http.MethodPost, "/api/v1/pause", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser", http.MethodPost, "/api/v1/pause", []string{"Origin", "http://attacker.example"}, 403},
		{"a page without origin", http.MethodPost, "/api/v1/pause", []string{"Origin", "null"}, 403},
		{"another site reads", http.MethodGet, "/api/v1/live", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"the address bar", http.MethodGet, "/api/v1/status", []string{"Sec-Fetch-Site", "none"}, 200},
		{"a link to the page", http.MethodGet, "/", []string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		w := httptest.NewRecorder()
		r := from("127.0.0.1:1", "engine.example", c.headers...)
		r.Method, r.URL.Path = c.method, c.path
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d", c.name, w.Code)
		}
	}
	if refused != 5 {
		t.Errorf("%d were refused", refused)
	}
}
