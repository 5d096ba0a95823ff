// Package integration runs one suite against a broker: the embedded one, Apache Kafka with KRaft, or Apache Kafka with
// ZooKeeper. TEST_KAFKA_TARGET says which; without it a core of the suite runs on the embedded broker. It must never
// look into the engine: engines are processes that it starts with settings, and watches from outside.
package integration

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// suite is set by TestMain before the first test.
var suite *harness.Suite

// core is what runs when no target is named, so that it is part of every plain `go test ./...`.
const core = "^(TestEventsAreProcessedExactlyAsThePipelineSays|TestEachPoisonEventBecomesOneDeadLetterAndTheStreamGoesOn|" +
	"TestInstancesJoinAndLeaveUnderLoad|TestStopFinishesAndCommitsWhatHasBegun|TestOffsetsContinueAfterRestart|" +
	"TestFinalsAreRevisedWhenAnIdlePartitionComesBack|TestLateLettersReviseTheirWindowAndFiveReplaysAreTheMost|" +
	"TestWrongSettingsAreListedTogether|TestBrokenPipelineFileStopsTheStart|TestMissingTopicIsNamed)$"

// Times that are generous: they bound how long a failure takes, not how fast the engine is.
const (
	soon = 30 * time.Second
	late = 90 * time.Second
)

func TestMain(m *testing.M) {
	flag.Parse()
	target := os.Getenv("TEST_KAFKA_TARGET")
	if target == "" && flag.Lookup("test.run").Value.String() == "" && !harness.BrokerProcess() {
		fmt.Fprintln(os.Stderr, "TEST_KAFKA_TARGET is not set: running the core of the suite on the embedded broker")
		if err := flag.Set("test.run", core); err != nil {
			panic(err)
		}
	}
	os.Exit(harness.Run(m, harness.Options{Target: target, Race: true, Secure: true}, func(s *harness.Suite) { suite = s }))
}
