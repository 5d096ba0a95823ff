// Command bench measures what the engine costs on a real Kafka. Without a first word it compares the Kafka layer with
// kafka-go's Reader and Writer and franz-go: CPU time per event, and the time of a commit. With the word pipeline it
// compares whole services that do the same work as processes, catching up and at a steady rate; with the word groups it
// fills a window with a million of them and restores it; with the word tabs it opens dashboards. It is a program and not a
// test: it asserts nothing about time, since a shared machine has good and bad minutes, but an error, a lost event or an
// output that differs ends it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// batchBytes is the size of a record batch: below the 1 MiB that topics take (max.message.bytes).
const batchBytes = 1_000_000

// commitInterval is how long a transaction is held open.
const commitInterval = 100 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	parse, measure := parseLayer, (*bench).layer
	if len(arguments) > 0 {
		switch arguments[0] {
		case "pipeline":
			parse, measure, arguments = parsePipeline, (*bench).pipeline, arguments[1:]
		case "groups":
			parse, measure, arguments = parseGroups, (*bench).groups, arguments[1:]
		case "tabs":
			parse, measure, arguments = parseTabs, (*bench).tabs, arguments[1:]
		}
	}
	o, err := parse(arguments)
	if err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	return measure(b, ctx)
}

// layer measures the Kafka layer alone.
func (b *bench) layer(ctx context.Context) error {
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"consume", b.consume}, {"produce", b.produce}, {"commit", b.commit},
	}
	for _, part := range parts {
		if !b.wants(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return write(b.out, b.report)
}
