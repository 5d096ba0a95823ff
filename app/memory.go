package app

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/rs/zerolog"
)

// limitMemory tells the Go runtime 90 % of what the container may take, so that it collects garbage harder before it is killed.
// GOMEMLIMIT in the environment stays as it is. Without a limit, or where nobody can say whether there is one, nothing happens.
func limitMemory(log zerolog.Logger) {
	limit, err := memlimit.Set()
	if err != nil || limit == math.MaxInt64 {
		return
	}
	log.Info().Int64("bytes", limit).Msg("GOMEMLIMIT: the heap stays below, if it can")
}
