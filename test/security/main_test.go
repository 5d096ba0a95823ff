// Package security holds the engine to what docs/security.md says of Kafka and of secrets, on a real broker whose authorizer
// denies whatever no ACL allows. It must never look into the engine: engines are processes that it starts with settings,
// and watches from outside.
//
//	TEST_KAFKA_TARGET   4.3.1 or 3.9.2; without it only what needs no such broker runs, on the embedded one
package security

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

// core is what runs on the embedded broker, so that it is part of every plain `go test ./...`.
const core = "^TestNoSecretIsSeenAnywhere(CanFindOne|WhileTheEngineWorks|WhenSomethingIsWrong)$"

// Times that are generous: they bound how long a failure takes, not how fast the engine is. Who may not do something tries
// again after half a minute at most.
const (
	soon = 30 * time.Second
	late = 2 * time.Minute
)

func TestMain(m *testing.M) {
	flag.Parse()
	target := os.Getenv("TEST_KAFKA_TARGET")
	if (target == "" || target == harness.Embedded) && !harness.BrokerProcess() {
		fmt.Fprintln(os.Stderr, "TEST_KAFKA_TARGET names no Apache Kafka: running the core of the suite on the embedded broker")
		if err := flag.Set("test.run", core); err != nil {
			panic(err)
		}
	}
	options := harness.Options{Target: target, Race: true, Secure: true, Set: []string{
		"allow.everyone.if.no.acl.found=false",
		"ssl.allow.dn.changes=true", "ssl.allow.san.changes=true", // the tests give the broker other certificates
		"zookeeper.session.timeout.ms=18000", // of 3.9.2: no test waits for its end, and a busy machine is slow to start a broker
	}}
	os.Exit(harness.Run(m, options, func(s *harness.Suite) { suite = s }))
}
