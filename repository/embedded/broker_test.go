package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/model"
)

// childDir makes the test binary a broker on that directory, for the tests that kill one.
const childDir = "EMBEDDED_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		b, err := Start(context.Background(), Config{DataDir: dir, Log: zerolog.Nop()})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Start(t.Context(), Config{DataDir: dir, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func closed(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// child starts a broker in a process of its own; kill ends it as kill -9 does.
func child(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	if _, err := fmt.Fscanln(out, &addr); err != nil || addr == "error" {
		t.Fatalf("the broker's process did not start: %v", err)
	}
	return addr, kill
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// transaction writes values to partition 0 of topic t, and ends the transaction, or leaves it open.
func transaction(t *testing.T, c *kgo.Client, end bool, values ...string) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if !end {
		return
	}
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

func createTopic(t *testing.T, addr string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, addr)).CreateTopic(t.Context(), -1, -1, nil, "t"); err != nil {
		t.Fatal(err)
	}
}

func commitOffset(t *testing.T, addr string, offset int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset("t", 0, offset, -1)
	if err := kadm.NewClient(client(t, addr)).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
}

// committed reads partition 0 up to a last record that only it writes, so that it knows when it has seen everything.
func committed(t *testing.T, addr string) string {
	t.Helper()
	last := client(t, addr)
	if err := last.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("last")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c := client(t, addr, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var values []string
	for {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %v: %v", values, err)
		}
		for _, r := range fetches.Records() {
			if v := string(r.Value); v != "last" {
				values = append(values, v)
			} else if r.Offset+1 == highWatermark(fetches) {
				return strings.Join(values, " ")
			}
		}
	}
}

func highWatermark(f kgo.Fetches) (n int64) {
	f.EachPartition(func(p kgo.FetchTopicPartition) { n = p.HighWatermark })
	return n
}

func offsetOf(t *testing.T, addr string) int64 {
	t.Helper()
	r, err := kadm.NewClient(client(t, addr)).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	o, _ := r.Lookup("t", 0)
	return o.At
}

func TestRestartKeepsTopicsRecordsAndOffsets(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	createTopic(t, b.Addr())
	c := client(t, b.Addr(), kgo.TransactionalID("x"))
	transaction(t, c, true, "a", "b")
	commitOffset(t, b.Addr(), 2)
	c.Close()
	closed(t, b)

	b = start(t, dir)
	defer closed(t, b)
	if got := offsetOf(t, b.Addr()); got != 2 {
		t.Errorf("the committed offset is %d, want 2", got)
	}
	if got := committed(t, b.Addr()); got != "a b" {
		t.Errorf("read %q, want %q", got, "a b")
	}
	topics, err := kadm.NewClient(client(t, b.Addr())).ListTopics(t.Context(), "t")
	if err != nil || len(topics["t"].Partitions) != defaultPartitions {
		t.Errorf("topic has %d partitions, %v; want %d", len(topics["t"].Partitions), err, defaultPartitions)
	}
}

func TestKillKeepsWhatWasCommittedAndAbortsWhatWasOpen(t *testing.T) {
	dir := t.TempDir()
	addr, kill := child(t, dir)
	createTopic(t, addr)
	c := client(t, addr, kgo.TransactionalID("x"))
	transaction(t, c, true, "a")
	commitOffset(t, addr, 1)
	transaction(t, c, false, "open")
	kill()
	c.Close()

	b := start(t, dir)
	defer closed(t, b)
	if got := offsetOf(t, b.Addr()); got != 1 {
		t.Errorf("the committed offset is %d, want 1", got)
	}
	if got := committed(t, b.Addr()); got != "a" {
		t.Errorf("read %q, want %q", got, "a")
	}
}

// A transactional id that comes back after a kill must not bring back what the kill aborted.
func TestSecondKillDoesNotBringAbortedRecordsBack(t *testing.T) {
	dir := t.TempDir()
	addr, kill := child(t, dir)
	createTopic(t, addr)
	c := client(t, addr, kgo.TransactionalID("x"))
	transaction(t, c, true, "a")
	transaction(t, c, false, "open")
	kill()
	c.Close()

	addr, kill = child(t, dir)
	c = client(t, addr, kgo.TransactionalID("x"))
	transaction(t, c, true, "b")
	kill()
	c.Close()

	b := start(t, dir)
	defer closed(t, b)
	if got := committed(t, b.Addr()); got != "a b" {
		t.Errorf("read %q, want %q", got, "a b")
	}
}

func TestDirectoryInUseIsRefusedWithItsHolder(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	_, err := Start(t.Context(), Config{DataDir: dir, Log: zerolog.Nop()})
	if err == nil || model.ClassOf(err) != model.Misconfigured || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), "DATA_DIR") {
		t.Errorf("error is %v", err)
	}
	if addr, ok := Running(err, dir); !ok || addr != b.Addr() {
		t.Errorf("the running broker is found at %q, %v; it listens on %s", addr, ok, b.Addr())
	}
	closed(t, b)
	closed(t, start(t, dir))
}

func TestKilledProcessLeavesNoLock(t *testing.T) {
	dir := t.TempDir()
	_, kill := child(t, dir)
	kill()
	closed(t, start(t, dir))
}

func TestTakenPortIsReplacedByAFreeOne(t *testing.T) {
	first := start(t, t.TempDir())
	defer closed(t, first)
	port, err := strconv.Atoi(first.Addr()[strings.LastIndex(first.Addr(), ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	second, err := Start(t.Context(), Config{DataDir: t.TempDir(), Port: port, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, second)
	if second.Addr() == first.Addr() || !strings.HasPrefix(second.Addr(), "127.0.0.1:") {
		t.Errorf("both listen on %s", second.Addr())
	}
}

func TestUnreadableDataIsRefusedAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	closed(t, start(t, dir))
	meta := filepath.Join(dir, "broker", "meta.json")
	good, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(meta, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Config{DataDir: dir, Log: zerolog.Nop()})
	var e *model.Error
	if !errors.As(err, &e) || e.Class != model.Misconfigured || !strings.Contains(e.Hint, "move") {
		t.Fatalf("error is %v", err)
	}
	if err := os.WriteFile(meta, good, 0o600); err != nil {
		t.Fatal(err)
	}
	closed(t, start(t, dir))
}

func TestGuideNamesTheAddressInEachCommand(t *testing.T) {
	b := start(t, t.TempDir())
	defer closed(t, b)
	all := strings.Join(b.commands("in", []string{"out"}), "\n")
	for _, want := range []string{"kcat -b " + b.Addr() + " -C -t out", "kcat -b " + b.Addr() + " -P -t in", "--bootstrap-server " + b.Addr() + " --topic out", "kafka-console-producer.sh"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}
