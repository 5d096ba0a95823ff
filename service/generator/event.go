package generator

import (
	"math/rand/v2"
	"strconv"
)

// The fields of an event, in the order in which documentation lists them.
const (
	fieldUser = iota
	fieldVersion
	fieldDeviceType
	fieldIP
	fieldLocale
	fieldDevice
	fieldTime
	fields
)

// client is a build of the app, as an event shows it: the order in which it writes the fields, and whether it writes
// times as strings.
type client struct {
	order    [fields]uint8
	textTime bool
}

// clients is how many builds there are. A quarter of them writes times as strings.
const clients = 16

func newClients(r *rand.Rand) []client {
	list := make([]client, clients)
	for i := range list {
		for j, f := range r.Perm(fields) {
			list[i].order[j] = uint8(f)
		}
		list[i].textTime = i%4 == 3
	}
	return list
}

// object appends the event as JSON, as the user's client writes it.
func (g *Generator) object(dst []byte, u *user, e *Event) []byte {
	c, draw := &g.clients[u.client], g.random.Uint64()
	dst = append(dst, '{')
	first := true
	for _, f := range c.order {
		if f == fieldDeviceType && e.Kind == NoDevice {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = g.field(dst, int(f), u, e, draw)
	}
	return append(dst, '}')
}

// field appends one key and its value. draw is 64 random bits.
func (g *Generator) field(dst []byte, f int, u *user, e *Event, draw uint64) []byte {
	switch f {
	case fieldUser:
		if e.Kind == NoUser {
			if draw&1 == 0 {
				return append(dst, `"user_id": null`...)
			}
			return append(dst, `"user_id": ""`...)
		}
		return quoted(append(dst, `"user_id": `...), u.id)
	case fieldVersion:
		return append(append(append(dst, `"app_version": "`...), version(draw>>2)...), '"')
	case fieldDeviceType:
		kind := u.deviceType
		if e.Kind == OtherDevice {
			kind = otherDevice(draw >> 1)
		}
		return append(append(append(dst, `"device_type": "`...), kind...), '"')
	case fieldIP:
		if e.Kind == BadIP {
			return append(append(append(dst, `"ip": "`...), badIP(draw>>1)...), '"')
		}
		return quoted(append(dst, `"ip": `...), u.ip)
	case fieldLocale:
		return append(append(append(dst, `"locale": "`...), u.locale...), '"')
	case fieldDevice:
		return quoted(append(dst, `"device_id": `...), u.device)
	}
	dst = append(dst, `"timestamp": `...)
	if g.clients[u.client].textTime {
		return append(strconv.AppendInt(append(dst, '"'), e.Time.Unix(), 10), '"')
	}
	return strconv.AppendInt(dst, e.Time.Unix(), 10)
}

// scalar appends JSON that is not an object.
func (g *Generator) scalar(dst []byte) []byte {
	values := [...]string{`null`, `42`, `"ping"`, `[]`, `[{"user_id": "x"}]`, `true`}
	return append(dst, values[g.random.IntN(len(values))]...)
}

func version(draw uint64) string {
	versions := [...]string{"2.3.0", "2.3.0", "2.3.0", "2.3.1", "2.4.0-beta.1", "2.2.9", "2.1.4", "1.9.12"}
	return versions[draw%uint64(len(versions))]
}

func otherDevice(draw uint64) string {
	types := [...]string{"web", "tv", "watchOS", "unknown"}
	return types[draw%uint64(len(types))]
}

func badIP(draw uint64) string {
	values := [...]string{"999.12.7.1", "not-an-ip", "10.0.0", "2001:db8::g"}
	return values[draw%uint64(len(values))]
}

func quoted(dst, s []byte) []byte {
	return append(append(append(dst, '"'), s...), '"')
}
