//go:build race

package measure

// raceEnabled: the race detector makes the compiler allocate where it would not.
const raceEnabled = true
