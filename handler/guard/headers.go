package guard

import (
	"net/http"
	"strings"
)

// policy is what an answer may do in a browser: nothing, it is data. The page sets its own.
const policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Headers sets the headers that keep an answer from being read as something else, kept by somebody else, or shown inside
// another page.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", policy)
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("X-Frame-Options", "DENY")
		// A browser would apply it to all ports, and localhost is everybody's.
		if r.TLS != nil && !isLocalName(r.Host) {
			header.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// SameOrigin refuses what a browser sends for a page of somebody else: requests that change something, by
// net/http's CrossOriginProtection, and below prefix reading too - a stream that somebody else's page opened here would
// take the place of one of ours, though that page could not read it.
func SameOrigin(next http.Handler, prefix string, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	deny := func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, &Denied{Status: http.StatusForbidden, Title: "From another page", Detail: "a browser sent this for a page of another origin"})
	}
	writes := http.NewCrossOriginProtection()
	writes.SetDenyHandler(http.HandlerFunc(deny))
	inner := writes.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		if strings.HasPrefix(r.URL.Path, prefix) && (site == "cross-site" || site == "same-site") {
			deny(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}
