package guard

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	freeAttempts   = 10               // wrong tokens from an address before it has to wait
	longestWait    = time.Minute      // after each further one: 1 s, 2 s, 4 s ... up to this
	attemptsForget = 10 * time.Minute // after so long without a wrong one all is as before
	maxPeers       = 4096             // addresses that are told apart; the rest waits together
	maxKnown       = 8                // wrong tokens of an address that are known again
)

// attempts bounds how fast a token can be guessed, for each address by itself: by being wrong one keeps out nobody but those
// with the same address, as all have behind a proxy. So a wrong token that comes again and again, such as the old one of a
// job that nobody has told of the new one, counts once: that is no guessing. The zero value is ready to use.
type attempts struct {
	mu    sync.Mutex
	peers map[netip.Prefix]*failures
}

type failures struct {
	count int
	last  time.Time
	next  time.Time           // before that nothing is looked at
	known [][sha256.Size]byte // the last wrong tokens, as their hashes
}

// try asks whether a token, given by its hash, is right, unless the sender has to wait. It is asked under the lock, so that many tries at once are no way around
// the waiting. Whoever is on this machine never waits: an operator there has to get in.
func (a *attempts) try(r *http.Request, given [sha256.Size]byte, right func() bool) (ok bool, wait time.Duration) {
	if Local(r) {
		return right(), 0
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	key := a.key(r, now)
	f := a.peers[key]
	if f != nil && now.Sub(f.last) > attemptsForget {
		delete(a.peers, key)
		f = nil
	}
	if f != nil && now.Before(f.next) {
		return false, f.next.Sub(now)
	}
	if right() {
		return true, 0
	}
	if f == nil {
		f = &failures{}
		a.peers[key] = f
	}
	if slices.Contains(f.known, given) {
		return false, 0
	}
	f.known = append(f.known[max(0, len(f.known)-maxKnown+1):], given)
	f.count++
	f.last = now
	if over := f.count - freeAttempts; over >= 0 {
		f.next = now.Add(min(longestWait, time.Second<<min(over, 10)))
	}
	return false, 0
}

// key is what is counted by: an IPv4 address, or the /64 of an IPv6 one, which is what a single host has.
func (a *attempts) key(r *http.Request, now time.Time) netip.Prefix {
	if a.peers == nil {
		a.peers = map[netip.Prefix]*failures{}
	}
	peer, ok := peerOf(r)
	if !ok {
		return netip.Prefix{}
	}
	bits := 32
	if peer.Is6() {
		bits = 64
	}
	key, _ := peer.Prefix(bits) // the bits are right for the address
	if a.peers[key] != nil || len(a.peers) < maxPeers {
		return key
	}
	for old, f := range a.peers {
		if now.Sub(f.last) > attemptsForget {
			delete(a.peers, old)
		}
	}
	if len(a.peers) < maxPeers {
		return key
	}
	return netip.Prefix{}
}
