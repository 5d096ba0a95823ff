// Package embedded is a Kafka broker inside the process, for the first minute, demos and tests: franz-go's kfake on a
// loopback port, with its data in a directory so that a restart continues. It must never be reachable from another
// machine, and nothing but its start may know that the broker is not a real one.
//
// What survives: a clean Close keeps everything. After a kill of the process the operating system still writes what
// the broker wrote; transactions that were open are aborted. Nothing is flushed to the disk at each write, so that a
// loss of power may cost the last seconds: to flush each write makes a small transaction nine times as slow.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"

	"data-stream-engine/model"
)

const (
	defaultPartitions = 4
	retentionBytes    = 128 << 20 // of one partition: the generator must not fill a disk
	segmentBytes      = 16 << 20
	retentionEvery    = time.Minute
	// minSession is shorter than a real broker's 6 s, so that demonstrations of a lost instance do not take long.
	minSession = time.Second
	maxSession = 30 * time.Minute
)

// Config says where the broker lives.
type Config struct {
	DataDir    string // the broker's data lies in DataDir/broker
	Port       int    // preferred; a free one when it is taken, or 0
	Partitions int32  // of topics created without a count; less than 1: 4
	Log        zerolog.Logger
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *os.File
	dir     string
	addr    string
	stop    chan struct{}
	stopped chan struct{}
}

// Start begins where the last broker with this data directory stopped. A directory that another process uses, or that
// cannot be used at all, is a *model.Error of class Misconfigured.
func Start(ctx context.Context, c Config) (*Broker, error) {
	dir := filepath.Join(c.DataDir, "broker")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, misconfigured("make directory", dir, err, "set DATA_DIR to a directory that may be written to")
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{lock: lock, dir: dir, stop: make(chan struct{}), stopped: make(chan struct{})}
	clean, err := closedCleanly(dir)
	if err == nil {
		err = b.listen(ctx, c)
	}
	if err != nil {
		if b.cluster != nil {
			b.cluster.Close()
		}
		return nil, errors.Join(err, lock.Close())
	}
	go b.retain()
	if !clean {
		c.Log.Info().Str("directory", dir).Msg("the embedded broker was killed before; transactions that were open are aborted")
		if err := b.abortOpen(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("abort the open transactions of the embedded broker: %w", err), b.end(false))
		}
	}
	return b, nil
}

func (b *Broker) listen(ctx context.Context, c Config) error {
	listener, err := listenOn(ctx, c.Port)
	if err != nil {
		return fmt.Errorf("listen for the embedded broker: %w", err)
	}
	if c.Partitions < 1 {
		c.Partitions = defaultPartitions
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("embedded"),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DataDir(b.dir),
		kfake.DefaultNumPartitions(int(c.Partitions)),
		kfake.GroupMinSessionTimeout(minSession),
		kfake.GroupMaxSessionTimeout(maxSession),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.bytes": strconv.Itoa(retentionBytes),
			"log.retention.ms":    "-1", // by size alone: events may be older than they are new to this broker
			"log.segment.bytes":   strconv.Itoa(segmentBytes),
		}),
		kfake.WithLogger(&logger{log: c.Log, dir: b.dir}),
	)
	if err != nil {
		_ = listener.Close()
		return misconfigured("read the embedded broker's data in", b.dir, err, "move the directory away to begin anew")
	}
	answerWhole(cluster)
	b.cluster, b.addr = cluster, listener.Addr().String()
	return announce(b.lock, b.addr)
}

// listenOn prefers a port and takes a free one otherwise.
func listenOn(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) && port != 0 {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return listener, err
}

// Addr is host:port, on the loopback interface.
func (b *Broker) Addr() string { return b.addr }

// Close ends the broker after it has written down what a restart needs.
func (b *Broker) Close() error {
	return b.end(true)
}

func (b *Broker) end(clean bool) error {
	close(b.stop)
	<-b.stopped
	b.cluster.Close()
	var err error
	if clean {
		err = markClean(b.dir)
	}
	return errors.Join(err, b.lock.Close()) // and with it the lock
}

// retain drops what is older than the retention; kfake does so by itself only for topics with settings of their own.
func (b *Broker) retain() {
	defer close(b.stopped)
	t := time.NewTicker(retentionEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.cluster.ApplyRetention()
		case <-b.stop:
			return
		}
	}
}

func misconfigured(op, subject string, err error, hint string) error {
	return &model.Error{Class: model.Misconfigured, Op: op, Subject: subject, Err: err, Hint: hint}
}
