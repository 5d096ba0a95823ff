package app_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requireEnded waits for Run to return by itself.
func (e *engine) requireEnded(class model.Class) {
	e.t.Helper()
	select {
	case <-e.done:
	case <-time.After(30 * time.Second):
		e.t.Fatal("Run did not end")
	}
	if err := e.stop(); err == nil || model.ClassOf(err) != class {
		e.t.Errorf("Run returned %v, want class %s", err, class)
	}
}

// What brokers refuse of the settings can be mended by nobody but the person who starts the service.
func TestSettingsThatBrokersRefuseEndTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key     kmsg.Key
		err     *kerr.Error
		setting string
	}{
		"transaction timeout": {kmsg.InitProducerID, kerr.InvalidTransactionTimeout, "TRANSACTION_TIMEOUT"},
		"session timeout":     {kmsg.JoinGroup, kerr.InvalidSessionTimeout, "SESSION_TIMEOUT"},
		"group":               {kmsg.JoinGroup, kerr.InconsistentGroupProtocol, "KAFKA_GROUP_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, TopLevel: true, Count: -1})
			e := r.start()
			e.requireEnded(model.Misconfigured)
			if err := e.stop(); err == nil || !strings.Contains(err.Error(), c.setting) {
				t.Errorf("the error does not name %s: %v", c.setting, err)
			}
		})
	}
}

// Once it works, the same answers are somebody else's mistake, and pass.
func TestSettingsThatBrokersRefuseLaterEndNothing(t *testing.T) {
	t.Parallel()
	for name, f := range map[string][]kfake.Fault{
		"transaction timeout": {{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, TopLevel: true}, {Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.InvalidTransactionTimeout, TopLevel: true}},
		"session timeout":     {{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownMemberID}, {Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.InvalidSessionTimeout, TopLevel: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			e := r.start()
			r.feed(50)
			r.exactlyOnce()
			h := r.fake.Fault(f...)
			r.feed(50)
			r.eventually("the reason in readiness", func() bool {
				_, body := e.get("/readyz")
				return h.Hits() == 2 && strings.Contains(body, f[1].Err.Message[:10]) || h.Hits() == 2 && e.ready()
			})
			r.exactlyOnce()
			r.eventually("readiness", e.ready)
			must(t, e.stop())
		})
	}
}

// A missing permission is for an operator: said, waited for, and then the work goes on where it stood.
func TestMissingPermissionIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault kfake.Fault
		names string
	}{
		"produce":     {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: outputTopic, Err: kerr.TopicAuthorizationFailed}, "WRITE"},
		"add":         {kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.TopicAuthorizationFailed}, "WRITE"},
		"commit":      {kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.GroupAuthorizationFailed}, "READ"},
		"transaction": {kfake.Fault{Keys: []kmsg.Key{kmsg.AddOffsetsToTxn}, Err: kerr.TransactionalIDAuthorizationFailed, TopLevel: true}, "transactional id"},
		"fetch":       {kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: sourceTopic, Err: kerr.TopicAuthorizationFailed}, "READ"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.fault.Count = -1
			denied := r.fake.Fault(c.fault)
			r.feed(50)
			e := r.start()
			r.eventually("the reason", func() bool {
				_, body := e.get("/readyz")
				return denied.Hits() > 0 && strings.Contains(body, "ACL") && strings.Contains(body, c.names)
			})
			// Not ready all the time, and not asked all the time.
			hits, flaps := denied.Hits(), 0
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if e.ready() {
					flaps++
				}
			}
			if flaps > 0 {
				t.Errorf("it said %d times that it is ready", flaps)
			}
			if n := denied.Hits() - hits; n > 60 {
				t.Errorf("asked %d times in 3 s", n)
			}
			if status, body := e.get("/livez"); status != 200 {
				t.Errorf("livez: %d %s", status, body)
			}
			denied.Remove()
			r.exactlyOnce()
			r.eventually("readiness", e.ready)
		})
	}
}

// A partition that has nothing for us is known to be worked off, also after a restart.
func TestPartitionsWithNothingToReadReportThatNoneIsLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.feed(users)
	first := r.start()
	r.exactlyOnce()
	must(t, first.stop())
	second := r.start()
	for n := range partitions {
		lag := fmt.Sprintf(`kafka_consumergroup_lag{consumergroup="engine",partition="%d",topic="in"} 0`, n)
		r.eventually("lag of partition "+strconv.Itoa(n), func() bool {
			_, body := second.get("/metrics")
			return strings.Contains(body, lag)
		})
	}
}

func TestStopCommitsWhatIsOpenAndLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("COMMIT_INTERVAL=30s", "TRANSACTION_TIMEOUT=1m")
	r.eventually("readiness", e.ready)
	r.feed(users)
	lag := `kafka_consumergroup_lag{consumergroup="engine",partition="0",topic="in"}`
	r.eventually("events that were read", func() bool {
		_, body := e.get("/metrics")
		return strings.Contains(body, lag+" 0") && len(asked[*kmsg.AddOffsetsToTxnRequest](r)) > 0
	})
	if n := len(asked[*kmsg.TxnOffsetCommitRequest](r)); n != 0 {
		t.Errorf("%d commits before the interval is over", n)
	}
	began := time.Now()
	must(t, e.stop())
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if n := len(asked[*kmsg.LeaveGroupRequest](r)); n != 1 {
		t.Errorf("left %d times", n)
	}
	// What was read is committed; what was not is for the next one.
	read := len(r.committed(outputTopic))
	if read == 0 {
		t.Error("nothing was committed")
	}
	r.start()
	r.exactlyOnce()
}

// What cannot be committed any more at the stop is aborted: whoever reads the outputs would wait for it until its time is
// over.
func TestStopAbortsWhatItCannotCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("COMMIT_INTERVAL=30s", "TRANSACTION_TIMEOUT=1m")
	r.eventually("readiness", e.ready)
	r.feed(users)
	r.eventually("an open transaction", func() bool { return len(asked[*kmsg.AddOffsetsToTxnRequest](r)) > 0 })
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownMemberID})
	must(t, e.stop())
	ends := asked[*kmsg.EndTxnRequest](r)
	if n := len(ends); n == 0 || ends[n-1].Commit {
		t.Errorf("ended %d times", n)
	}
	r.start()
	r.exactlyOnce()
}

func TestStopOfAStaticMemberLeavesItsPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.start("INSTANCE_ID=one", "SESSION_TIMEOUT=30s")
	r.feed(50)
	r.exactlyOnce()
	must(t, e.stop())
	if n := len(asked[*kmsg.LeaveGroupRequest](r)); n != 0 {
		t.Errorf("left %d times", n)
	}
	r.feed(50)
	began := time.Now()
	r.start("INSTANCE_ID=one", "SESSION_TIMEOUT=30s")
	r.exactlyOnce()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the next one took %s to take over", took)
	}
}

// A broker that hangs must not keep the process from ending; what was not committed is for the next one.
func TestStopIsBoundedWhenBrokersHang(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.LeaveGroup} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			e := r.start("SHUTDOWN_TIMEOUT=1s", "TRANSACTION_TIMEOUT=2s")
			r.feed(50)
			r.exactlyOnce()
			r.wire.on(key, func(int) deed { return deed{late: 8 * time.Second} })
			r.feed(50)
			if key != kmsg.LeaveGroup {
				r.eventually("the request that hangs", func() bool { return r.wire.asked(key) > 0 })
			}
			began := time.Now()
			if err := e.stop(); err != nil && !strings.Contains(err.Error(), "SHUTDOWN_TIMEOUT") {
				t.Errorf("Run returned %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the stop took %s", took)
			}
			r.wire.on(key, nil)
			r.start()
			r.exactlyOnce()
		})
	}
}

// Without brokers the instance says so, lives, and works as soon as they are there.
func TestBrokersThatAreAwayAreWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	away := func(kmsg.Key) deed { return deed{drop: true} }
	r.wire.every(away)
	r.feed(50)
	e := r.start("MAX_POLL_INTERVAL=10s")
	for _, more := range []bool{true, false} {
		r.eventually("the reason", func() bool {
			status, body := e.get("/readyz")
			return status == 503 && strings.Contains(body, `"broker"`) && strings.Contains(body, "127.0.0.1")
		})
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if status, body := e.get("/livez"); status != 200 {
				t.Errorf("livez: %d %s", status, body)
			}
			if e.ready() {
				t.Error("ready without a broker")
			}
		}
		r.wire.every(nil)
		r.exactlyOnce()
		r.eventually("readiness", e.ready)
		if more { // and the same when it has worked
			r.wire.every(away)
			r.feed(50)
		}
	}
}

// Nobody listens, which is another error than a connection that breaks.
func TestStopWhileNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l.Close()
	r := newRig(t)
	e := r.start("KAFKA_BOOTSTRAP_SERVERS=" + l.Addr().String())
	r.eventually("the reason", func() bool {
		_, body := e.get("/readyz")
		return strings.Contains(body, l.Addr().String())
	})
	must(t, e.stop())
}
