package embedded

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forgetAfter is how many requests a control function sees: kfake remembers each connection of them for as long as it has the
// function.
const forgetAfter = 100

// answerWhole lets no answer to a Fetch get full. kfake leaves the list of aborted transactions out for the partition in which
// an answer gets full, so that a reader would take their records for committed ones. An answer is bounded all the same, by what
// each partition may put into it.
func answerWhole(cluster *kfake.Cluster) {
	seen := 0 // control functions run one after the other
	cluster.ControlKey(int16(kmsg.Fetch), func(q kmsg.Request) (kmsg.Response, error, bool) {
		if fetch, ok := q.(*kmsg.FetchRequest); ok {
			fetch.MaxBytes = math.MaxInt32
		}
		if seen++; seen == forgetAfter {
			cluster.DropControl()
			answerWhole(cluster)
		}
		return nil, nil, false
	})
}
