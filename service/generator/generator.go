// Package generator makes user logins as a topic of them really looks: JSON with ", " and ": " between the parts, keys
// in the order of each client, times as numbers or strings, fields that are missing, and now and then an event that is broken. The
// same Config makes the same events. It does no I/O and never reads a clock.
package generator

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// Config says what is made. The shares are between 0 and 1 and exclude each other: an event has one oddity at most.
type Config struct {
	Seed  uint64
	Start time.Time     // time of the first event
	Step  time.Duration // time from one event to the next
	Users int           // how many users log in; less than 1: 10,000

	OtherDevice float64 // device_type is neither android nor iOS
	NoDevice    float64 // device_type is missing
	NoUser      float64 // user_id is null or empty
	Broken      float64 // cut off, not an object, or with an ip that is none
	Disorder    float64 // the event is up to MaxDelay older than its place says
	MaxDelay    time.Duration
}

// Default is a topic with the usual share of oddities.
func Default() Config {
	return Config{Users: defaultUsers, OtherDevice: 0.05, NoDevice: 0.02, NoUser: 0.01, Broken: 0.001, Disorder: 0.1, MaxDelay: 3 * time.Second}
}

const defaultUsers = 10_000

// Kind says what is odd about an event.
type Kind uint8

// The kinds. From Truncated on, events are broken: a pipeline for logins cannot but refuse them.
const (
	Login Kind = iota
	OtherDevice
	NoDevice
	NoUser
	Truncated
	NotAnObject
	BadIP
	kinds
)

// Broken tells whether the event is one for the dead letters.
func (k Kind) Broken() bool { return k >= Truncated }

func (k Kind) String() string {
	names := [kinds]string{"login", "other device", "no device", "no user", "truncated", "not an object", "bad ip"}
	if k < kinds {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Event is one record for the topic.
type Event struct {
	Key   []byte // the user, nil when there is none; not to be changed
	Value []byte
	Time  time.Time // the event's own time; Value has it in whole seconds
	Kind  Kind
}

// Generator makes one event after the other. It is for one goroutine.
type Generator struct {
	config  Config
	random  *rand.Rand
	users   []user
	at      time.Time
	clients []client

	// Shares as bounds of a draw of 53 bits, summed up.
	broken, noUser, noDevice, otherDevice uint64
	disorder                              uint64
}

// New prepares the users; that is all that takes time and memory.
func New(c Config) *Generator {
	if c.Users < 1 {
		c.Users = defaultUsers
	}
	g := &Generator{config: c, random: rand.New(rand.NewPCG(c.Seed, 0x6c6f67696e73)), at: c.Start}
	g.clients = newClients(g.random)
	g.users = make([]user, c.Users)
	for i := range g.users {
		g.users[i] = newUser(g.random)
	}
	g.broken = bound(c.Broken)
	g.noUser = g.broken + bound(c.NoUser)
	g.noDevice = g.noUser + bound(c.NoDevice)
	g.otherDevice = g.noDevice + bound(c.OtherDevice)
	g.disorder = bound(c.Disorder)
	return g
}

// Seek moves the clock of the events: the next one is at t.
func (g *Generator) Seek(t time.Time) { g.at = t }

// Next makes the next event; its Value is appended to dst.
func (g *Generator) Next(dst []byte) Event {
	e := Event{Time: g.at, Kind: g.kind()}
	g.at = g.at.Add(g.config.Step)
	if g.config.MaxDelay > 0 && g.random.Uint64()>>11 < g.disorder {
		e.Time = e.Time.Add(-time.Duration(g.random.Int64N(int64(g.config.MaxDelay))))
	}
	if e.Kind == NotAnObject {
		e.Value = g.scalar(dst)
		return e
	}
	u := &g.users[g.pick()]
	if e.Kind != NoUser {
		e.Key = u.id
	}
	e.Value = g.object(dst, u, &e)
	if e.Kind == Truncated {
		whole := len(e.Value) - len(dst)
		e.Value = e.Value[:len(dst)+1+g.random.IntN(whole-1)]
	}
	return e
}

// kind draws what is odd about the next event.
func (g *Generator) kind() Kind {
	switch x := g.random.Uint64() >> 11; {
	case x < g.broken:
		return Truncated + Kind(g.random.IntN(3))
	case x < g.noUser:
		return NoUser
	case x < g.noDevice:
		return NoDevice
	case x < g.otherDevice:
		return OtherDevice
	}
	return Login
}

// pick prefers some users: half of the logins come from a sixth of them.
func (g *Generator) pick() int {
	n := g.random.Uint64()
	x := uint64(uint32(n)) * (n >> 32) >> 32 // the product of two draws lies low more often
	return int(x * uint64(len(g.users)) >> 32)
}

// bound is a share of 53 bits.
func bound(share float64) uint64 { return uint64(min(max(share, 0), 1) * (1 << 53)) }
