package generator

import "strconv"

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

// object appends the event as JSON with its fields in a new order.
func (g *Generator) object(dst []byte, u *user, e *Event) []byte {
	// Three exchanges an event: the order keeps changing, and a full shuffle would cost more than the rest.
	swaps := g.random.Uint64()
	for range 3 {
		i, j := swaps&0xff*fields>>8, swaps>>8&0xff*fields>>8
		g.order[i], g.order[j] = g.order[j], g.order[i]
		swaps >>= 16
	}
	dst = append(dst, '{')
	first := true
	for _, f := range g.order {
		if f == fieldDeviceType && e.Kind == NoDevice {
			continue
		}
		if !first {
			dst = append(dst, ", "...)
		}
		first = false
		dst = g.field(dst, int(f), u, e, swaps)
	}
	return append(dst, '}')
}

// field appends one key and its value. draw has 16 random bits left.
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
	if draw>>8&3 == 0 { // a quarter of the clients send it as a string
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
