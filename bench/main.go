// Command bench measures what the engine costs on a real Kafka, beside kafka-go's Reader and Writer and franz-go: CPU
// time per event, the time of a commit, and the whole process. It is a program and not a test: it asserts nothing about
// time, since a shared machine has good and bad minutes, but an error or a lost event ends it.
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

// options are what the person at the command line chose.
type options struct {
	bootstrap  string
	only       string
	events     int
	rounds     int
	partitions int
	commits    int
	profiles   string
	out        string
}

// batchBytes is the size of a record batch: below the 1 MiB that topics take (max.message.bytes).
const batchBytes = 1_000_000

// commitInterval is how long a transaction is held open.
const commitInterval = 100 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(arguments []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.bootstrap, "bootstrap", os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "a Kafka broker with nothing else to do")
	flags.StringVar(&o.only, "only", "", "parts to run, separated by commas: consume, produce, commit, engine (default all)")
	flags.IntVar(&o.events, "events", 1_000_000, "events in each run")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; in each of them every client has one run")
	flags.IntVar(&o.partitions, "partitions", 4, "partitions of the topics")
	flags.IntVar(&o.commits, "commits", 200, "transactions in each series of commits")
	flags.StringVar(&o.profiles, "profile", "", "folder for a CPU profile of each of our own runs (pprof)")
	flags.StringVar(&o.out, "out", "", "write the report to this name, with .json and .md behind it")
	return o, flags.Parse(arguments)
}

func run(ctx context.Context, o options) error {
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	if o.wants("engine") {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"consume", b.consume}, {"produce", b.produce}, {"commit", b.commit}, {"engine", b.engine},
	}
	for _, part := range parts {
		if !o.wants(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return b.report.write(o.out)
}
