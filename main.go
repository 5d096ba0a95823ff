// Command data-stream-engine consumes a Kafka topic, does with its events what a pipeline file says, and produces the
// results to other topics, exactly once.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"data-stream-engine/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the context; a second one has its usual effect and ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(app.Main(ctx, app.Process{Args: os.Args[1:], Environ: os.Environ(), Dir: ".", Stdout: os.Stdout, Stderr: os.Stderr}))
}
