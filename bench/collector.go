package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// collector takes the traces of a contestant and throws them away.
type collector struct {
	server http.Server
	url    string
	bytes  atomic.Int64
}

func newCollector() (*collector, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &collector{url: "http://" + listener.Addr().String()}
	c.server.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body) // what is broken is dropped by the sender as well
		c.bytes.Add(n)
	})
	go func() { _ = c.server.Serve(listener) }() // until close
	return c, nil
}

// close fails when a contestant that was to be traced has told nothing.
func (c *collector) close(wanted bool) error {
	err := c.server.Close()
	if wanted && c.bytes.Load() == 0 {
		err = errors.Join(err, errors.New("the collector was told nothing"))
	}
	return err
}
