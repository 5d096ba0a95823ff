package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"data-stream-engine/utils"
)

const (
	// answerTimeout is what a running instance may take for an answer. A replay waits for brokers, and has more.
	answerTimeout = 15 * time.Second
	replayTimeout = 2 * time.Minute
	mostAnswer    = 64 << 20 // bytes
)

// client asks a running instance through its HTTP API: the commands that operate one are the API for people.
type client struct {
	base  string
	token utils.Secret
	http  *http.Client
	json  bool
	out   io.Writer
}

// clientFlags are the flags that all commands have that ask a running instance.
type clientFlags struct {
	url  *string
	json *bool
}

func newClientFlags(set *flag.FlagSet) clientFlags {
	return clientFlags{
		url:  set.String("url", "", "where the instance is, as in http://host:8080; default: HTTP_ADDR"),
		json: set.Bool("json", false, "the answer as JSON, for programs"),
	}
}

// client finds the instance that the settings name. Other settings may be wrong here.
func (f clientFlags) client(p Process) (*client, error) {
	lookup, err := utils.Environment(p.Dir, p.Environ)
	if err != nil {
		return nil, err
	}
	c := &client{base: strings.TrimRight(*f.url, "/"), json: *f.json, out: p.Stdout, http: &http.Client{}}
	if c.token, err = utils.FindSecret(p.Dir, p.Environ, "HTTP_TOKEN"); err != nil {
		return nil, err
	}
	certificate, secure := lookup("HTTP_TLS_CERT_FILE")
	if c.base == "" {
		addr, err := httpAddr(p)
		if err != nil {
			return nil, err
		}
		c.base = "http://" + addr
		if secure {
			c.base = "https://" + addr
		}
	}
	if at, err := url.Parse(c.base); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, usageError{fmt.Errorf("--url %s: it has to look like http://host:8080", c.base)}
	}
	if secure {
		return c, c.trust(within(p.Dir, certificate))
	}
	return c, nil
}

// trust accepts the certificate that the instance was given, beside what the system trusts: it may be its own authority.
func (c *client) trust(file string) error {
	pem, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return usageError{fmt.Errorf("HTTP_TLS_CERT_FILE: %w", err)}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return nil
}

// get asks, and decodes the answer.
func (c *client) get(ctx context.Context, path string, query url.Values, answer any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, nil, answer)
}

// post wants something done.
func (c *client) post(ctx context.Context, path string, body any, header http.Header, answer any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, content, header, answer)
}

func (c *client) call(ctx context.Context, method, path string, body []byte, header http.Header, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(request.Header, header)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token := c.token.Reveal(); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unanswered{fmt.Errorf("%s has not answered in time: its log, or `health`, says what it waits for", c.base)}
	case err != nil:
		return unanswered{fmt.Errorf("nobody answers at %s: %w; is the instance running, and is HTTP_ADDR (or --url) right?", c.base, undressed(err))}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return unanswered{fmt.Errorf("the answer of %s broke off: %w", c.base, err)}
	}
	switch status := response.StatusCode; {
	case status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout: // of a proxy, or 503 of the instance
		return unanswered{refusal(path, response.Status, content)}
	case status >= http.StatusBadRequest:
		return refusal(path, response.Status, content)
	}
	if raw, ok := answer.(*json.RawMessage); ok {
		*raw = content
		return nil
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("%s does not answer like this service (%s): is it another one?", c.base+path, response.Header.Get("Content-Type"))
	}
	return nil
}

// unanswered is an error after which nobody knows whether it was done. It may be asked for again.
type unanswered struct{ error }

// undressed is an error without the request that http puts around it.
func undressed(err error) error {
	if around, ok := errors.AsType[*url.Error](err); ok {
		return around.Err
	}
	return err
}

// problemDocument is RFC 9457's, as far as it is shown.
type problemDocument struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Line    int    `json:"line"`
		Column  int    `json:"column"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	} `json:"errors"`
}

// refusal is an answer that says no, as a person reads it.
func refusal(path, status string, content []byte) error {
	var p problemDocument
	if json.Unmarshal(content, &p) != nil || p.Detail == "" && p.Title == "" {
		return fmt.Errorf("%s answers %s", path, status)
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  line %d:%d: %s", e.Line, e.Column, e.Message)
		if e.Hint != "" {
			text += "\n    " + e.Hint
		}
	}
	return errors.New(text)
}

// show writes an answer for a program as it is, or lets text write it for a person.
func (c *client) show(raw json.RawMessage, into any, text func()) error {
	if c.json {
		_, err := fmt.Fprintln(c.out, strings.TrimSpace(string(raw)))
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the answer of %s cannot be read: %w", c.base, err)
	}
	text()
	return nil
}

// limited gives a call its time.
func limited(ctx context.Context, most time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return f(ctx)
}
