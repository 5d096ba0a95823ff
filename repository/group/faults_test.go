package group

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Whatever a coordinator answers on the way in, as long as it can pass, the member gets in and stays.
func TestJoinOutlastsErrorsThatPass(t *testing.T) {
	for key, errs := range map[kmsg.Key][]*kerr.Error{
		kmsg.FindCoordinator: {kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress},
		kmsg.JoinGroup: {kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.UnknownMemberID,
			kerr.IllegalGeneration, kerr.MemberIDRequired, kerr.RebalanceInProgress, kerr.UnknownServerError},
		kmsg.SyncGroup: {kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.UnknownMemberID,
			kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.RequestTimedOut},
		kmsg.Metadata: {kerr.LeaderNotAvailable},
	} {
		for _, e := range errs {
			for _, instance := range []string{"", "pod-1"} {
				t.Run(fmt.Sprintf("%s/%s/%s", key.Name(), e.Message, instance), func(t *testing.T) {
					r := fakeRig(t)
					topic := r.topic(2)
					hit := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: e, Count: 2})
					m := r.member(r.config(topic, instance, topic))
					a := join(t, m)
					requireAll(t, topic, 2, a)
					if hit.Hits() != 2 {
						t.Fatalf("the broker failed %d times", hit.Hits())
					}
					if err := m.Alive(within(t)); err != nil {
						t.Fatal(err)
					}
				})
			}
		}
	}
}

func TestErrorsThatOnlyAnOperatorMendsAreReturned(t *testing.T) {
	for _, c := range []struct {
		key   kmsg.Key
		err   *kerr.Error
		class model.Class
		says  string
	}{
		{kmsg.JoinGroup, kerr.GroupAuthorizationFailed, model.Unauthorized, "READ on group"},
		{kmsg.SyncGroup, kerr.GroupAuthorizationFailed, model.Unauthorized, "READ on group"},
		{kmsg.FindCoordinator, kerr.GroupAuthorizationFailed, model.Unauthorized, "ACL"},
		{kmsg.JoinGroup, kerr.InvalidGroupID, model.Misconfigured, "KAFKA_GROUP_ID"},
		{kmsg.JoinGroup, kerr.GroupMaxSizeReached, model.Misconfigured, "group.max.size"},
		{kmsg.JoinGroup, kerr.InconsistentGroupProtocol, model.Misconfigured, "another consumer"},
		{kmsg.SyncGroup, kerr.InconsistentGroupProtocol, model.Misconfigured, "another consumer"},
		{kmsg.JoinGroup, kerr.InvalidSessionTimeout, model.Misconfigured, "usually 6s..30m"},
		{kmsg.JoinGroup, kerr.FencedInstanceID, model.Replaced, "INSTANCE_ID=pod-1"},
		{kmsg.SyncGroup, kerr.FencedInstanceID, model.Replaced, "INSTANCE_ID=pod-1"},
	} {
		t.Run(c.key.Name()+"/"+c.err.Message, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: -1})
			_, err := r.member(r.config(topic, "pod-1", topic)).Join(within(t))
			if model.ClassOf(err) != c.class || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Fatalf("got %s: %v", model.ClassOf(err), err)
			}
			requireQuiet(t)
		})
	}
}

func TestHeartbeatsTellWhyAGenerationEnded(t *testing.T) {
	for _, c := range []struct {
		err   *kerr.Error
		class model.Class
	}{
		{kerr.RebalanceInProgress, model.Rejoin},
		{kerr.IllegalGeneration, model.Fenced},
		{kerr.UnknownMemberID, model.Fenced},
		{kerr.FencedInstanceID, model.Replaced},
	} {
		t.Run(c.err.Message, func(t *testing.T) {
			r := fakeRig(t)
			topic := r.topic(1)
			m := r.member(r.config(topic, "pod-1", topic))
			a := join(t, m)
			r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: c.err})
			requireEnded(t, m, a, c.class)
			if c.class != model.Replaced {
				requireAll(t, topic, 1, join(t, m))
				if m.Err() != nil {
					t.Fatalf("the new generation ended: %v", m.Err())
				}
			}
		})
	}
}

func TestARebalanceThatGoesOnWithoutTheMemberTurnsIntoFenced(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	m := r.member(r.config(topic, "", topic))
	a := join(t, m)
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress})
	requireEnded(t, m, a, model.Rejoin)
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	eventually(t, func() bool { return model.ClassOf(m.Err()) == model.Fenced })
}

func TestAMemberSurvivesCoordinatorsThatMoveOrLoad(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	cfg := r.config(topic, "", topic)
	cfg.SessionTimeout, cfg.HeartbeatInterval = 10*time.Second, 200*time.Millisecond
	m := r.member(cfg)
	a := join(t, m)
	for range 3 {
		r.fake.RehashCoordinators()
		for _, e := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator} {
			hit := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: e})
			if err := hit.Wait(within(t), 1); err != nil {
				t.Fatal(err)
			}
		}
		requireOpen(t, a, 0)
	}
	if err := m.Alive(within(t)); err != nil {
		t.Fatal(err)
	}
}

// drop closes the connection of every request of the keys while it is on.
func (r *rig) drop(on *atomic.Bool, keys ...kmsg.Key) {
	for _, key := range keys {
		r.fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.fake.KeepControl()
			if on.Load() {
				return nil, errors.New("closed by the test"), true
			}
			return nil, nil, false
		})
	}
}

func TestABrokerThatClosesConnectionsIsOutlasted(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(2)
	var closing atomic.Bool
	r.drop(&closing, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.FindCoordinator)
	closing.Store(true)
	m := r.member(r.config(topic, "", topic))
	time.AfterFunc(700*time.Millisecond, func() { closing.Store(false) })
	a := join(t, m)
	requireAll(t, topic, 2, a)

	closing.Store(true)
	time.Sleep(r.session / 3)
	closing.Store(false)
	requireOpen(t, a, r.session)
}

func TestASessionThatMustHaveExpiredEndsTheGeneration(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(2)
	var closing atomic.Bool
	r.drop(&closing, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.FindCoordinator)
	m := r.member(r.config(topic, "", topic))
	a := join(t, m)
	cut := time.Now()
	closing.Store(true)
	err := requireEnded(t, m, a, model.Fenced)
	if took := time.Since(cut); took < r.session/2 || took > 3*r.session {
		t.Fatalf("it took %s to give a session of %s up", took, r.session)
	}
	if !strings.Contains(err.Error(), "SESSION_TIMEOUT") {
		t.Fatalf("got %v", err)
	}
	time.AfterFunc(500*time.Millisecond, func() { closing.Store(false) })
	b := join(t, m)
	requireAll(t, topic, 2, b)
	if b.Generation <= a.Generation {
		t.Fatalf("generation %d after %d", b.Generation, a.Generation)
	}
}

func TestAStaticMemberJoinsWithOneRequestAndADynamicOneWithTwo(t *testing.T) {
	for instance, want := range map[string]int64{"": 2, "pod-1": 1} {
		r := fakeRig(t)
		topic := r.topic(1)
		seen := r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
		join(t, r.member(r.config(topic, instance, topic)))
		if int64(seen.Hits()) != want {
			t.Fatalf("instance %q sent %d JoinGroup requests", instance, seen.Hits())
		}
	}
}

func TestLeavingAfterBeingThrownOutIsNoError(t *testing.T) {
	r := fakeRig(t)
	topic := r.topic(1)
	m := r.member(r.config(topic, "", topic))
	join(t, m)
	r.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Err: kerr.UnknownMemberID})
	if err := m.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	requireQuiet(t)
}
