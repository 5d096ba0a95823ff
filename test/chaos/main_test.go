// Package chaos crashes engines and brokers at random moments under load, and then counts: nothing lost, nothing twice,
// nothing out of order, dead letters exactly the broken events, and every window of every aggregate as the source topic
// alone says it has to be. It must never look into the engine. The run with aggregates takes about half of what is
// planned here.
//
//	TEST_KAFKA_TARGET   4.3.1, 3.9.2 or embedded; without it a few crashes on the embedded broker
//	CHAOS_KILLS         kill -9 of an engine, default 20
//	CHAOS_BROKER_KILLS  kill -9 of a broker, default 3
//	CHAOS_BROKER_STOPS  SIGTERM of a broker, default as many as kills
//	CHAOS_VISITS        engines that join and leave as they should, default a quarter of the kills
//	CHAOS_ZOMBIES       engines that stand still for longer than their session, default a seventh of the kills
//	CHAOS_BROKERS       brokers of the cluster, default 1
//	CHAOS_RATE          events a second, default 1500
//	CHAOS_SEED          repeats the plan of an earlier run; the moments differ all the same
package chaos

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"data-stream-engine/test/harness"
)

// suite and plan are set by TestMain before the first test.
var (
	suite  *harness.Suite
	wanted plan
)

// plan is how much is to happen.
type plan struct {
	kills, zombies, visits, brokerKills, brokerStops, brokers, rate int
	seed                                                            uint64
}

func TestMain(m *testing.M) {
	target := os.Getenv("TEST_KAFKA_TARGET")
	wanted = plan{kills: 20, zombies: -1, visits: -1, brokerKills: 3, brokerStops: -1, brokers: 1, rate: 1500, seed: uint64(time.Now().UnixNano()) % 1_000_000}
	if target == "" {
		wanted.kills, wanted.zombies, wanted.visits, wanted.brokerKills, wanted.rate = 2, 0, 1, 0, 500
	} else {
		number("CHAOS_KILLS", &wanted.kills)
		number("CHAOS_BROKER_KILLS", &wanted.brokerKills)
		number("CHAOS_BROKER_STOPS", &wanted.brokerStops)
		number("CHAOS_VISITS", &wanted.visits)
		number("CHAOS_ZOMBIES", &wanted.zombies)
		number("CHAOS_BROKERS", &wanted.brokers)
		number("CHAOS_RATE", &wanted.rate)
	}
	if seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64); err == nil {
		wanted.seed = seed
	}
	unless(&wanted.zombies, (wanted.kills+6)/7)
	unless(&wanted.visits, wanted.kills/4)
	unless(&wanted.brokerStops, wanted.brokerKills)
	os.Exit(harness.Run(m, harness.Options{Target: target, Brokers: wanted.brokers}, func(s *harness.Suite) { suite = s }))
}

func number(name string, into *int) {
	text := os.Getenv(name)
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		fmt.Fprintf(os.Stderr, "%s=%q is not a number\n", name, text)
		os.Exit(2)
	}
	*into = n
}

// unless sets what nobody has set.
func unless(set *int, otherwise int) {
	if *set < 0 {
		*set = otherwise
	}
}
