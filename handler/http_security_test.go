package handler

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"data-stream-engine/handler/guard"
)

// raw sends bytes and reads what comes back until the peer closes.
func raw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 { // an answer to what was not read whole may be cut off
		t.Fatal(err)
	}
	return string(answer)
}

func TestPathsAreTakenAsTheyAre(t *testing.T) {
	h, _ := door(t, time.Hour)
	h.Mount("/api/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "reached") }))
	for path, want := range map[string]string{
		"/api/v1/status": "200", "//api/v1/status": "404", "/api//v1/status": "404", "/api/../api/v1/status": "404", "/api/./v1": "404", "/x/..;/api/v1/status": "404", "/..;/api/v1/status": "404",
		"/%2e%2e/api/v1/status": "404", "/api/%2e%2e/livez": "404", "/%2fapi/v1/status": "404", "/api%2fv1": "404", `/api/..\livez`: "404", "/livez/": "404", "/LIVEZ": "404", "/livez%00": "404",
		"/debug/pprof": "307", "/debug/pprof/../../livez": "404", "http://evil.example/livez": "200", "*": "400",
	} {
		answer := raw(t, h.Addr(), "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if status := strings.Fields(answer)[1]; status != want {
			t.Errorf("%s: %s, want %s", path, status, want)
		}
		if strings.Contains(answer, "Location: //") || strings.Contains(answer, "Location: http") {
			t.Errorf("%s leads elsewhere: %s", path, answer)
		}
	}
}

// What the door itself refuses below /api/ is a problem as those of the API are: of a type, and with a detail that is no title.
func TestProblemsOfTheDoorAreThoseOfTheAPI(t *testing.T) {
	h, _ := door(t, time.Hour)
	for _, c := range []struct{ request, kind, detail string }{
		{"GET /api//v1/status HTTP/1.1\r\n", "not-found", "nothing at"},
		{"GET /api/v1/status HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n", "denied", "a browser sent this"},
		{"POST /api/v1/pause HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n", "denied", "a browser sent this"},
		{"POST /livez HTTP/1.1\r\nContent-Length: 0\r\n", "method", "GET, HEAD"},
	} {
		answer := raw(t, h.Addr(), c.request+"Host: localhost\r\nConnection: close\r\n\r\n")
		_, body, _ := strings.Cut(answer, "\r\n\r\n")
		var d struct{ Type, Title, Detail string }
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if d.Type != "urn:stream-engine:problem:"+c.kind || d.Title == "" || !strings.Contains(d.Detail, c.detail) || strings.Contains(d.Detail, d.Title) {
			t.Errorf("%s: %+v", c.request, d)
		}
	}
}

func TestHeadersCannotBeInjected(t *testing.T) {
	h, _ := door(t, time.Hour)
	for _, request := range []string{
		"GET /x%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\rSet-Cookie: a=b\r\nConnection: close\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		answer := raw(t, h.Addr(), request)
		if strings.Contains(answer, "\r\nSet-Cookie") || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Errorf("%q: %q", request, answer)
		}
	}
}

// Whoever sends slowly is cut off, and others are served meanwhile.
func TestSlowPeersAreCutOff(t *testing.T) {
	h, _ := door(t, time.Hour, func(s *http.Server) { s.ReadHeaderTimeout, s.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond })
	read := make(chan error, 1)
	h.Mount("/body", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	}))
	slow := func(head string) time.Duration {
		began := time.Now()
		conn, err := net.Dial("tcp", h.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, head)
		go func() {
			for { // a byte now and then, until it is over
				if _, err := io.WriteString(conn, "x"); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.ReadAll(conn)
		return time.Since(began)
	}
	if took := slow("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "); took > 15*time.Second {
		t.Errorf("slow headers: %s", took)
	}
	if took := slow("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"); took > 15*time.Second {
		t.Errorf("a slow body: %s", took)
	}
	if err := <-read; err == nil {
		t.Error("a slow body was read whole")
	}
	if response, _ := request(t, h, http.MethodGet, "/livez"); response.StatusCode != http.StatusOK {
		t.Errorf("%d", response.StatusCode)
	}
}

func TestLargeBodiesAndHeadersAreRefused(t *testing.T) {
	h, _ := door(t, time.Hour)
	h.Mount("/body", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	response, err := http.Post("http://"+h.Addr()+"/body", "text/plain", strings.NewReader(strings.Repeat("x", maxBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("body: %d", response.StatusCode)
	}
	answer := raw(t, h.Addr(), "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 431") {
		t.Errorf("headers: %.100s", answer)
	}
}

func TestProfilesAreForThisMachineOnly(t *testing.T) {
	h, c := door(t, time.Hour)
	ask := func(path string, headers ...string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
			if headers[i] == "Host" {
				r.Host = headers[i+1]
			}
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1"} {
		if a, b, d := ask(path), ask(path, "X-Forwarded-For", "1.2.3.4"), ask(path, "Host", "attacker.example"); a != 200 || b != 403 || d != 403 {
			t.Errorf("%s: %d here, %d through a proxy, %d under another name", path, a, b, d)
		}
	}
	if got := ask("/debug/pprof/cmdline"); got != 404 {
		t.Errorf("the command line: %d", got)
	}
	var err error
	if c.Guard, err = guard.New("0123456789abcdef-token"); err != nil {
		t.Fatal(err)
	}
	if h, err = NewHTTP(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	go func() { _ = h.Run() }()
	defer func() { _ = h.Close(context.Background()) }()
	if a, b := ask("/debug/pprof/heap"), ask("/debug/pprof/heap", "Authorization", "Bearer 0123456789abcdef-token"); a != 401 || b != 200 {
		t.Errorf("with HTTP_TOKEN: %d without, %d with it", a, b)
	}
	if response, body := request(t, h, http.MethodGet, "/debug/pprof/heap"); response.Header.Get("WWW-Authenticate") == "" || !strings.Contains(body, `"title":"Needs the token"`) {
		t.Errorf("without the token: %v %s", response.Header, body)
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} { // probes and scrapers have no token
		if got := ask(path, "X-Forwarded-For", "1.2.3.4"); got == 401 || got == 403 {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestTLSWithHTTP2AndItsMetric(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	until := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	pool := selfSigned(t, cert, key, until)
	_, c := door(t, time.Hour)
	var err error
	if c.Certificate, err = guard.LoadCertificate(cert, key); err != nil {
		t.Fatal(err)
	}
	h, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run() }()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "engine.example"}}}
	response, err := client.Get("https://" + h.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.ProtoMajor != 2 || response.Header.Get("Strict-Transport-Security") != "" { // an address, no name
		t.Errorf("%s %v", response.Proto, response.Header)
	}
	var value float64
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, "stream_engine_http_certificate_expiry_seconds "); ok {
			value = parse(t, rest)
		}
	}
	if value != float64(until.Unix()) {
		t.Errorf("the metric is %v, want %d", value, until.Unix())
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "engine.example", MaxVersion: tls.VersionTLS11}}}
	if response, err := old.Get("https://" + h.Addr() + "/livez"); err == nil {
		response.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if answer := raw(t, h.Addr(), "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.0 400") {
		t.Errorf("without TLS: %q", answer)
	}
	client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := errors.Join(h.Close(ctx), <-ended); err != nil {
		t.Error(err)
	}
}

// asking is a door of which something is asked that serve does not end; it has begun.
func asking(t *testing.T, serve func(h *HTTP, r *http.Request, w http.ResponseWriter)) (*HTTP, *http.Response) {
	t.Helper()
	_, c := door(t, time.Hour)
	h, err := NewHTTP(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	h.Mount("/forever", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		serve(h, r, w)
	}))
	go func() { _ = h.Run() }()
	response, err := http.Get("http://" + h.Addr() + "/forever")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return h, response
}

func TestAnswersThatGoOnForEverEndWithTheDoor(t *testing.T) {
	over, begun := make(chan struct{}), make(chan struct{})
	h, response := asking(t, func(h *HTTP, _ *http.Request, w http.ResponseWriter) {
		h.OnClose(func() { close(over) })
		close(begun)
		<-over
		_, _ = io.WriteString(w, "goodbye")
	})
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
	if text, err := bufio.NewReader(response.Body).ReadString(0); text != "goodbye" || !errors.Is(err, io.EOF) {
		t.Errorf("%q %v", text, err)
	}
}

// selfSigned writes a certificate for engine.example and returns what trusts it.
func selfSigned(t *testing.T, certFile, keyFile string, until time.Time) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "engine.example"}, DNSNames: []string{"engine.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(text)
	if err := errors.Join(os.WriteFile(certFile, text, 0o600), os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return pool
}

func parse(t *testing.T, text string) float64 {
	t.Helper()
	f, _, err := new(big.Float).Parse(strings.TrimSpace(text), 10)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := f.Float64()
	return v
}

// Whoever asks for a long profile cannot make a stop fail.
func TestRequestThatDoesNotEndIsCutOffWithoutAnError(t *testing.T) {
	h, response := asking(t, func(_ *HTTP, r *http.Request, _ http.ResponseWriter) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
}
