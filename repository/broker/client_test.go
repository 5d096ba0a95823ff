package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"data-stream-engine/model"
	"data-stream-engine/utils"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// After a restart every connection in the pool fails one time, however many there are.
func TestRestartOfABrokerHeals(t *testing.T) {
	const callers = 6
	r := newRig(t, kfake.NumBrokers(1))
	r.on(kmsg.FindCoordinator, func(int, request) (kmsg.Response, error, bool) {
		time.Sleep(20 * time.Millisecond) // so that every caller needs a connection of its own
		return nil, nil, false
	})
	crowd := func(call func(i int)) {
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() { call(i) })
		}
		group.Wait()
	}
	try := func(i int) error {
		_, err := r.client.Call(within(t, time.Minute), AnyNode, findCoordinator(fmt.Sprint("g", i)))
		return err
	}
	crowd(func(i int) {
		if err := try(i); err != nil {
			t.Error(err)
		}
	})
	closed := r.hangUp()
	if closed < callers/2 {
		t.Fatalf("only %d connections were open", closed)
	}
	failures := make([]int, callers)
	crowd(func(i int) {
		for err := try(i); err != nil; err = try(i) {
			if model.ClassOf(err) != model.Transient {
				t.Error(err)
			}
			if failures[i]++; failures[i] > closed {
				t.Errorf("caller %d failed more often than there were connections: %v", i, err)
				return
			}
		}
	})
	for range 10 {
		if err := try(0); err != nil {
			t.Errorf("it does not last: %v", err)
		}
	}
}

func TestBrokerThatCameBackOnItsPortIsFoundAgain(t *testing.T) {
	first, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	at := first.ListenAddrs()[0]
	client, _ := newClient(t, at)
	if err := client.Refresh(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if err := client.Refresh(within(t, time.Minute)); model.ClassOf(err) != model.Transient || err == nil || !strings.Contains(err.Error(), at) {
		t.Fatalf("nobody listens: %v", err)
	}
	_, port, _ := net.SplitHostPort(at)
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	second, err := kfake.NewCluster(kfake.Ports(number))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	for ctx := within(t, time.Minute); ; {
		if err := client.Refresh(ctx); err == nil {
			return
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestUnknownBrokerIsLookedForInTheMetadata(t *testing.T) {
	r := newRig(t, kfake.SeedTopics(1, "t"))
	fetch := func(node int32) error { // an empty Fetch v11 without a session
		q := kmsg.NewPtrFetchRequest()
		q.Version, q.SessionEpoch = 11, -1
		return r.client.Exchange(within(t, time.Minute), node, &Frame{Key: 1, Version: 11, Pieces: [][]byte{q.AppendTo(nil)}})
	}
	if err := fetch(2); err != nil {
		t.Fatal(err)
	}
	if got := r.asked(kmsg.Fetch); len(got) != 1 || got[0].node != 2 {
		t.Errorf("it went to %v", got)
	}
	before := len(r.asked(kmsg.Metadata))
	if err := fetch(77); model.ClassOf(err) != model.Transient || err == nil || !strings.Contains(err.Error(), "broker 77") {
		t.Errorf("%v", err)
	}
	if _, err := r.client.Call(within(t, time.Minute), 77, findCoordinator("g")); model.ClassOf(err) != model.Transient || err == nil || !strings.Contains(err.Error(), "broker 77") {
		t.Errorf("%v", err)
	}
	if len(r.asked(kmsg.Metadata)) == before {
		t.Error("nobody asked whether broker 77 is there by now")
	}
}

// Cancelling a call without a deadline would leave its connection and goroutine behind.
func TestHangingBrokerEndsACallWithoutDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, kfake.NumBrokers(1))
	r.on(kmsg.FindCoordinator, func(int, request) (kmsg.Response, error, bool) { return nil, nil, true })
	started := time.Now()
	_, err := r.client.Call(context.Background(), AnyNode, findCoordinator("g"))
	if took := time.Since(started); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) || model.ClassOf(err) != model.Transient || took > 2*DefaultTimeout {
		t.Errorf("after %s: %v", took, err)
	}
}

// Not parallel: it counts the goroutines of the process.
func TestHangingBrokerLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("calls", func(t *testing.T) {
		r := newRig(t, kfake.NumBrokers(1))
		r.on(kmsg.FindCoordinator, func(int, request) (kmsg.Response, error, bool) { return nil, nil, true })
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
				defer cancel()
				if _, err := r.client.Call(ctx, AnyNode, findCoordinator("g")); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
	for tries := 0; runtime.NumGoroutine() > before; tries++ {
		if tries == 500 {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A broker whose process is stopped takes connections and never answers: the others still do.
func TestHungBrokerDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hung.Close() })
	client, _ := newClient(t, append([]string{hung.Addr().String()}, r.fake.ListenAddrs()...)...)
	for range 2 {
		if err := client.Refresh(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestDeadBrokerDoesNotHideTheOthers(t *testing.T) {
	r := newRig(t)
	client, _ := newClient(t, append([]string{"127.0.0.1:1"}, r.fake.ListenAddrs()...)...)
	if err := client.Refresh(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
}

// The addresses in the settings may all be gone by the time that one is needed.
func TestBrokersOfTheMetadataReplaceThoseOfTheSettings(t *testing.T) {
	r := newRig(t)
	client, _ := newClient(t, r.fake.ListenAddrs()[0])
	if err := client.Refresh(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := r.fake.RemoveNode(0); err != nil {
		t.Fatal(err)
	}
	r.hangUp()
	for ctx := within(t, time.Minute); ; {
		if err := client.Refresh(ctx); err == nil {
			return
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongPasswordIsNamed(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "engine", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.ControlKey(kmsg.SASLAuthenticate.Int16(), func(q kmsg.Request) (kmsg.Response, error, bool) {
		a := q.ResponseKind().(*kmsg.SASLAuthenticateResponse) // as real brokers say it; this one would hang up
		a.ErrorCode = 58
		c.KeepControl()
		return a, nil, true
	})
	tr, err := utils.NewTransport(utils.Kafka{SecurityProtocol: "SASL_PLAINTEXT", SASLMechanism: "PLAIN", SASLUsername: "engine", SASLPassword: "wrong"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	err = New(tr, c.ListenAddrs(), "x").Refresh(within(t, time.Minute))
	if model.ClassOf(err) != model.Unauthorized || !strings.Contains(fmt.Sprint(err), "KAFKA_SASL_PASSWORD") {
		t.Errorf("%s: %v", model.ClassOf(err), err)
	}
}
