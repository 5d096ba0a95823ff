package embedded

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wholeAnswers lets no answer to a Fetch get full. kfake leaves the list of aborted transactions out for the partition in which
// an answer gets full, so that a reader would take their records for committed ones. An answer is bounded all the same, by what
// each partition may put into it.
func wholeAnswers(q kmsg.Request) (kmsg.Response, error, bool) {
	if fetch, ok := q.(*kmsg.FetchRequest); ok {
		fetch.MaxBytes = math.MaxInt32
	}
	return nil, nil, false
}
