package harness

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDecisionIsThatOfTheCoordinator(t *testing.T) {
	const (
		ongoing = kmsg.TransactionStateOngoing
		commit  = kmsg.TransactionStatePrepareCommit
		abort   = kmsg.TransactionStatePrepareAbort
		done    = kmsg.TransactionStateCompleteCommit
		aborted = kmsg.TransactionStateCompleteAbort
		empty   = kmsg.TransactionStateEmpty
	)
	type step struct {
		epoch int16
		state kmsg.TransactionState
	}
	for name, c := range map[string]struct {
		history             []step
		committed, complete bool
	}{
		"committed":                        {[]step{{5, ongoing}, {5, commit}, {5, done}}, true, true},
		"committed, and initialised since": {[]step{{5, ongoing}, {5, commit}, {5, done}, {6, empty}}, true, true},
		"aborted by a new epoch":           {[]step{{5, ongoing}, {6, abort}, {6, aborted}, {6, empty}}, false, true},
		"aborted, the one before not":      {[]step{{5, ongoing}, {5, commit}, {5, done}, {5, ongoing}, {5, abort}, {5, aborted}}, false, true},
		"markers on their way":             {[]step{{5, ongoing}, {5, commit}}, false, false},
		"open":                             {[]step{{5, ongoing}, {5, commit}, {5, done}, {5, ongoing}}, false, false},
		"of another epoch":                 {[]step{{4, ongoing}, {4, commit}, {4, done}}, false, false},
		"unknown":                          {nil, false, false},
	} {
		var history []kmsg.TxnMetadataValue
		for _, s := range c.history {
			v := kmsg.NewTxnMetadataValue()
			v.ProducerEpoch, v.State = s.epoch, s.state
			history = append(history, v)
		}
		if committed, complete := decision(history, 5); committed != c.committed || complete != c.complete {
			t.Errorf("%s: committed %t, complete %t", name, committed, complete)
		}
	}
}
