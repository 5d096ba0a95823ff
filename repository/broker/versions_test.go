package broker

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"data-stream-engine/model"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestEveryBrokerIsAskedForItsVersionsOnce(t *testing.T) {
	r := newRig(t, kfake.SeedTopics(3, "t"))
	for range 5 {
		if _, err := r.client.RefreshTopics(within(t, time.Minute), "t"); err != nil {
			t.Fatal(err)
		}
		for node := range int32(3) {
			if _, err := r.client.Call(within(t, time.Minute), node, findCoordinator("g")); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := map[int32]int{}
	for _, q := range r.asked(kmsg.ApiVersions) {
		asked[q.node]++
	}
	if want := map[int32]int{0: 1, 1: 1, 2: 1}; !maps.Equal(asked, want) {
		t.Fatalf("ApiVersions by broker: %v", asked)
	}
	// The answer to ApiVersions has no flexible header, every other one of ours has: both were read.
}

// A raw request in a version that the broker does not speak would be answered by a closed connection.
func TestRequestsAreClampedToWhatTheBrokerSpeaks(t *testing.T) {
	r := newRig(t, kfake.MaxVersions(kversion.V2_8_0()))
	theirs, ours := kversion.V2_8_0(), spoken[kmsg.Metadata]
	most, _ := theirs.LookupMaxKeyVersion(kmsg.Metadata.Int16())
	if most >= ours.most {
		t.Fatalf("this broker speaks Metadata %d, so nothing is shown", most)
	}
	if err := r.client.Refresh(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	for _, q := range r.asked(kmsg.Metadata) {
		if q.GetVersion() != most {
			t.Errorf("Metadata was asked in version %d, the broker speaks %d", q.GetVersion(), most)
		}
	}
	if n := len(r.asked(kmsg.Metadata)); n != 1 {
		t.Errorf("%d Metadata requests", n)
	}
}

func TestEveryRequestHasAVersionForEveryKafkaFromTwoPointEight(t *testing.T) {
	for name, release := range map[string]*kversion.Versions{
		"2.8": kversion.V2_8_0(), "3.0": kversion.V3_0_0(), "3.9": kversion.V3_9_0(), "4.0": kversion.V4_0_0(), "4.3": kversion.V4_3_0(),
	} {
		v := versions{}
		release.EachMaxKeyVersion(func(key, most int16) { v[key] = span{0, most} })
		for key, ours := range spoken {
			got, err := v.pick("b:1", key)
			if most, _ := release.LookupMaxKeyVersion(key.Int16()); err != nil || got != min(ours.most, most) {
				t.Errorf("%s in Kafka %s: %d, %v", key.Name(), name, got, err)
			}
		}
	}
}

// Above these versions the transaction protocol is another one: EndTxn answers with a new epoch, Produce adds partitions
// one by one at the coordinator and waits 20 ms when that collides (KIP-890).
func TestTransactionsStayAtTheirFirstProtocol(t *testing.T) {
	for key, most := range map[kmsg.Key]int16{kmsg.InitProducerID: 4, kmsg.AddPartitionsToTxn: 3, kmsg.AddOffsetsToTxn: 3,
		kmsg.TxnOffsetCommit: 4, kmsg.EndTxn: 4, kmsg.Produce: 11} {
		if spoken[key].most > most {
			t.Errorf("%s is spoken up to %d", key.Name(), spoken[key].most)
		}
	}
	if spoken[kmsg.OffsetFetch].least < 7 {
		t.Errorf("OffsetFetch %d cannot ask for stable offsets (KIP-447)", spoken[kmsg.OffsetFetch].least)
	}
}

func TestBrokerThatIsTooOldIsRefusedByName(t *testing.T) {
	for name, release := range map[string]*kversion.Versions{"2.7": kversion.V2_7_0(), "2.4": kversion.V2_4_0(), "2.3": kversion.V2_3_0(), "1.0": kversion.V1_0_0()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, kfake.NumBrokers(1), kfake.MaxVersions(release))
			var err error
			for _, q := range []kmsg.Request{kmsg.NewPtrMetadataRequest(), kmsg.NewPtrListOffsetsRequest(), findCoordinator("g"),
				kmsg.NewPtrInitProducerIDRequest(), kmsg.NewPtrOffsetFetchRequest()} {
				if _, err = r.client.Call(within(t, time.Minute), AnyNode, q); err != nil {
					break
				}
			}
			if model.ClassOf(err) != model.Misconfigured {
				t.Fatalf("%s: %v", model.ClassOf(err), err)
			}
			for _, want := range []string{r.fake.ListenAddrs()[0], "2.8 or newer"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestBrokerThatIsTooNewIsRefusedByName(t *testing.T) {
	v := versions{kmsg.Fetch.Int16(): {12, 20}}
	_, err := v.pick("b:1", kmsg.Fetch)
	if model.ClassOf(err) != model.Misconfigured || !strings.Contains(fmt.Sprint(err), "newer than this release") {
		t.Errorf("%s: %v", model.ClassOf(err), err)
	}
	if _, err := (versions{}).pick("b:1", kmsg.DescribeACLs); err == nil {
		t.Error("an API that nobody has tried was given a version")
	}
}

// An unsupported version and a restart look the same, and the broker may be another release now.
func TestVersionsAreAskedAgainAfterAClosedConnection(t *testing.T) {
	r := newRig(t, kfake.NumBrokers(1))
	r.on(kmsg.FindCoordinator, func(n int, _ request) (kmsg.Response, error, bool) {
		return nil, io.EOF, n == 2
	})
	call := func() error {
		_, err := r.client.Call(within(t, time.Minute), AnyNode, findCoordinator("g"))
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	err := call()
	if model.ClassOf(err) != model.Transient || err == nil || !strings.Contains(err.Error(), "closed the connection") {
		t.Fatalf("%s: %v", model.ClassOf(err), err)
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	if n := len(r.asked(kmsg.ApiVersions)); n != 2 {
		t.Errorf("ApiVersions was asked %d times", n)
	}
}
