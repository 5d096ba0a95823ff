package harness

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector is a receiver of OpenTelemetry traces (OTLP over HTTP, protobuf) that remembers them.
type Collector struct {
	URL string

	mu       sync.Mutex
	spans    []*tracepb.Span
	services map[string]bool
	headers  []http.Header
	bad      []error
}

// NewCollector starts one that ends with the test, and fails it when it was sent what is no trace.
func NewCollector(t testing.TB) *Collector {
	c := &Collector{services: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(c.take))
	c.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(c.bad...); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *Collector) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if kind := r.Header.Get("Content-Type"); err == nil && (r.URL.Path != "/v1/traces" || kind != "application/x-protobuf") {
		err = fmt.Errorf("%s %s of %s is no export of traces", r.Method, r.URL, kind)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.bad = append(c.bad, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.headers = append(c.headers, r.Header)
	for _, rs := range data.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				c.services[a.Value.GetStringValue()] = true
			}
		}
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

// Spans is what came so far.
func (c *Collector) Spans() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*tracepb.Span(nil), c.spans...)
}

// From tells whether a service of that name has sent something.
func (c *Collector) From(service string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.services[service]
}

// Header is the last value of a header.
func (c *Collector) Header(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.headers) == 0 {
		return ""
	}
	return c.headers[len(c.headers)-1].Get(name)
}
