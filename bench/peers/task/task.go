// Package task is what every contestant of the pipeline benchmark has to do, and where: the work of the shipped
// pipeline.yaml, written by hand. It does no I/O with brokers: how a contestant reads and writes is what is compared.
package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Task says where a contestant reads and writes. It comes from the same variables that the engine takes.
type Task struct {
	Brokers        []string
	Source, Output string
	DeadLetters    string // where broken events go
	Group          string
	HashKey        string
	CommitInterval time.Duration
}

// FromEnvironment reads the task. An error names what is missing.
func FromEnvironment() (Task, error) {
	t := Task{
		Source: os.Getenv("KAFKA_SOURCE_TOPIC"), Output: os.Getenv("KAFKA_OUTPUT_TOPIC"),
		Group: os.Getenv("KAFKA_GROUP_ID"), HashKey: os.Getenv("HASH_KEY"),
	}
	bootstrap := os.Getenv("KAFKA_BOOTSTRAP_SERVERS")
	if bootstrap == "" || t.Source == "" || t.Output == "" || t.Group == "" || t.HashKey == "" {
		return t, errors.New("set KAFKA_BOOTSTRAP_SERVERS, KAFKA_SOURCE_TOPIC, KAFKA_OUTPUT_TOPIC, KAFKA_GROUP_ID and HASH_KEY")
	}
	t.Brokers, t.DeadLetters = strings.Split(bootstrap, ","), t.Group+"-dead-letter"
	var err error
	if t.CommitInterval, err = time.ParseDuration(os.Getenv("COMMIT_INTERVAL")); err != nil {
		return t, fmt.Errorf("COMMIT_INTERVAL: %w", err)
	}
	return t, nil
}

// Run serves until SIGTERM and returns the process's exit code.
func Run(serve func(context.Context, Task) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t, err := FromEnvironment()
	if err == nil {
		err = serve(ctx, t)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
