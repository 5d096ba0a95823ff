package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"data-stream-engine/utils"
)

// healthTimeout is less than what container platforms wait for a health check.
const healthTimeout = 2 * time.Second

// health asks the instance that listens on HTTP_ADDR: for images without a shell or curl.
func health(ctx context.Context, p Process) error {
	set := newFlags("health")
	live := set.Bool("live", false, "ask /livez: does it move? Otherwise /readyz: does it do its work?")
	if err := p.flags(set, 0); err != nil {
		return err
	}
	addr, err := httpAddr(p)
	if err != nil {
		return err
	}
	path := "/readyz"
	if *live {
		path = "/livez"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	scheme, client, err := itself(p)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+addr+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("nobody answers on HTTP_ADDR: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", path, response.Status, body)
	}
	_, err = p.Stdout.Write(body)
	return err
}

// itself is how an instance on this machine is asked. Its certificate is for the name that others know it by, and nothing
// secret is sent, so that it is not checked.
func itself(p Process) (scheme string, client *http.Client, err error) {
	lookup, err := utils.Environment(p.Dir, p.Environ)
	if err != nil {
		return "", nil, err
	}
	if _, ok := lookup("HTTP_TLS_CERT_FILE"); !ok {
		return "http://", http.DefaultClient, nil
	}
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // G402: see above
	return "https://", &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, nil
}

// httpAddr is where to ask: HTTP_ADDR, on this machine when it names no host. Other settings may be wrong here.
func httpAddr(p Process) (string, error) {
	lookup, err := utils.Environment(p.Dir, p.Environ)
	if err != nil {
		return "", err
	}
	addr, ok := lookup("HTTP_ADDR")
	if !ok {
		addr = utils.Default("HTTP_ADDR")
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError{fmt.Errorf("HTTP_ADDR: %w", err)}
	}
	if port == "0" {
		return "", usageError{errors.New("HTTP_ADDR has port 0: the log of the instance says which one it took; set HTTP_ADDR to that")}
	}
	return reachable(addr), nil
}

// reachable is an address to dial for one to listen on: localhost when that is every address of this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
