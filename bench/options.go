package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are what the person at the command line chose.
type options struct {
	bootstrap  string
	only       string
	parts      []string // that there are
	events     int
	rounds     int
	partitions int
	out        string
	command    string // what to type to get the same

	profiles string // folder; "": none are taken

	commits int // of the Kafka layer

	// Whole processes.
	brokerPID int
	engine    string
	storage   string // STORAGE_URL of the engine
	rate      int
	steady    time.Duration

	users int       // that log in; 0: the generator's own number
	open  int       // tabs
	begin time.Time // of the events that lie in a topic; zero: long ago
}

// flags are those that both have.
func (o *options) flags(name string, parts []string, events, rounds int) *flag.FlagSet {
	o.parts = parts
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&o.bootstrap, "bootstrap", os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "a Kafka broker with nothing else to do")
	flags.StringVar(&o.only, "only", "", "what to run, separated by commas: "+strings.Join(parts, ", ")+" (default all)")
	flags.IntVar(&o.events, "events", events, "events in each run")
	flags.IntVar(&o.rounds, "rounds", rounds, "rounds; in each of them everybody has one run")
	flags.IntVar(&o.partitions, "partitions", 4, "partitions of the topics")
	flags.StringVar(&o.profiles, "profile", "", "folder for CPU profiles of our own runs (pprof)")
	flags.StringVar(&o.out, "out", "", "write the report to this name, with .json and .md behind it")
	return flags
}

// processes are the flags of those that measure whole processes.
func (o *options) processes(flags *flag.FlagSet) {
	flags.IntVar(&o.brokerPID, "broker-pid", 0, "process of the broker, to tell what it uses (Linux)")
	flags.StringVar(&o.engine, "engine", "", "a binary of the engine to measure (default: built from this checkout)")
	flags.StringVar(&o.storage, "storage", "", "STORAGE_URL of the engine, none for no recorder (default: the engine's, SQLite)")
}

func parseLayer(arguments []string) (options, error) {
	var o options
	flags := o.flags("bench", []string{"consume", "produce", "commit"}, 1_000_000, 5)
	flags.IntVar(&o.commits, "commits", 200, "transactions in each series of commits")
	return o, o.parse(flags, "scripts/bench.sh", arguments)
}

func parsePipeline(arguments []string) (options, error) {
	var o options
	flags := o.flags("bench pipeline", []string{"raw", "engine", "insights", "unstored", "traced", "plain", "franz"}, 5_000_000, 3)
	o.processes(flags)
	flags.IntVar(&o.rate, "rate", 20_000, "events a second of the steady part")
	flags.DurationVar(&o.steady, "steady", 30*time.Second, "how long the steady part is measured; 0: not at all")
	return o, o.parse(flags, "scripts/bench.sh pipeline", arguments)
}

func parseGroups(arguments []string) (options, error) {
	var o options
	flags := o.flags("bench groups", []string{"groups", "raw", "api", "finals"}, 5_000_000, 3)
	o.processes(flags)
	flags.IntVar(&o.users, "users", 1_400_000, "users that may log in; about three quarters of them do")
	flags.IntVar(&o.rate, "rate", 2_000, "events a second while finals are timed")
	return o, o.parse(flags, "scripts/bench.sh groups", arguments)
}

func parseTabs(arguments []string) (options, error) {
	var o options
	flags := o.flags("bench tabs", []string{"tabs"}, 2_000_000, 3)
	o.processes(flags)
	flags.IntVar(&o.open, "tabs", 50, "dashboards that are open")
	flags.IntVar(&o.rate, "rate", 20_000, "events a second")
	flags.DurationVar(&o.steady, "steady", 20*time.Second, "how long each turn is measured")
	return o, o.parse(flags, "scripts/bench.sh tabs", arguments)
}

func (o *options) parse(flags *flag.FlagSet, command string, arguments []string) error {
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("what is %q? see -help", flags.Arg(0))
	case o.bootstrap == "":
		return errors.New("no broker: set KAFKA_BOOTSTRAP_SERVERS or -bootstrap; scripts/bench.sh starts one")
	case o.events < 1 || o.rounds < 1 || o.partitions < 1 || o.rate < 0 || o.steady < 0 || o.steady > 0 && o.rate < 1:
		return errors.New("-events, -rounds, -partitions and -rate are at least 1, -steady is not negative")
	}
	for name := range strings.SplitSeq(o.only, ",") {
		if name != "" && !slices.Contains(o.parts, name) {
			return fmt.Errorf("-only knows %s, not %q", strings.Join(o.parts, ", "), name)
		}
	}
	o.command = command
	flags.VisitAll(func(f *flag.Flag) {
		if value := f.Value.String(); value != "" && !slices.Contains([]string{"bootstrap", "broker-pid", "out", "profile"}, f.Name) {
			o.command += " -" + f.Name + " " + filepath.Base(value)
		}
	})
	return nil
}

// wants tells whether a part is to be run.
func (o options) wants(part string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), part)
}
