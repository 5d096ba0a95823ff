package harness

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HashKey is the HASH_KEY that tests give to their engines.
const HashKey = "a key for tests, and for nothing else"

// Fate is what has to become of an event.
type Fate int

// The fates.
const (
	Forward Fate = iota
	Drop
	Bury
)

// Expected is what the shipped pipeline makes of one event.
type Expected struct {
	Fate  Fate
	Key   string
	Event map[string]any // of Forward: numbers as json.Number, processed_at left out
	Stage string         // of Bury
	Code  string         // of Bury; empty: any
}

// Expect is the shipped pipeline.yaml, written down a second time by other means: encoding/json, crypto/hmac, netip.
func Expect(value []byte) Expected {
	if value == nil {
		return Expected{Fate: Bury, Stage: "decode", Code: "not_an_object"}
	}
	var parsed any
	if err := decode(value, &parsed); err != nil {
		return Expected{Fate: Bury, Stage: "decode", Code: "invalid_json"}
	}
	event, ok := parsed.(map[string]any)
	if !ok {
		return Expected{Fate: Bury, Stage: "decode", Code: "not_an_object"}
	}
	if event["user_id"] == nil || event["user_id"] == "" {
		return Expected{Fate: Drop}
	}
	if event["device_type"] != "android" && event["device_type"] != "iOS" {
		return Expected{Fate: Drop}
	}
	at, err := eventTime(event["timestamp"])
	if err != nil {
		return Expected{Fate: Bury, Stage: "decode", Code: "invalid_event_time"}
	}
	if err := transform(event, at); err != nil {
		return Expected{Fate: Bury, Stage: "transform", Code: "expression"}
	}
	return Expected{Fate: Forward, Key: fmt.Sprint(event["user_id"]), Event: event}
}

// decode is strict: one value and nothing behind it. Numbers keep their digits.
func decode(value []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind the value")
	}
	return nil
}

func transform(event map[string]any, at time.Time) error {
	device, ok := event["device_type"].(string)
	if !ok {
		return errors.New("device_type is no text")
	}
	event["device_type"] = strings.ToLower(device)
	ip, _ := event["ip"].(string)
	masked, err := maskIP(ip)
	if err != nil {
		return err
	}
	event["ip"] = masked
	hashed, err := keyedHash(event["device_id"])
	if err != nil {
		return err
	}
	event["device_id"] = hashed
	event["login_at"] = formatTime(at)
	delete(event, "timestamp")
	return nil
}

// maskIP keeps /24 of IPv4 and /48 of IPv6.
func maskIP(text string) (string, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return "", err
	}
	addr = addr.Unmap()
	if addr.Is4() {
		b := addr.As4()
		b[3] = 0
		return netip.AddrFrom4(b).String(), nil
	}
	b := addr.As16()
	clear(b[6:])
	return netip.AddrFrom16(b).String(), nil
}

// keyedHash is half of an HMAC-SHA-256.
func keyedHash(v any) (string, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return "", err
		}
		text = v.String()
	default:
		return "", fmt.Errorf("%T cannot be hashed", v)
	}
	mac := hmac.New(sha256.New, []byte(HashKey))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}

// eventTime reads seconds, milliseconds, microseconds or nanoseconds by their size, and RFC 3339. Fractions are not
// used by the tests.
func eventTime(v any) (time.Time, error) {
	text := fmt.Sprint(v)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Parse(time.RFC3339Nano, text)
	}
	switch size := max(n, -n); {
	case size < 1e11:
		return time.Unix(n, 0), nil
	case size < 1e14:
		return time.UnixMilli(n), nil
	case size < 1e17:
		return time.UnixMicro(n), nil
	}
	return time.Unix(0, n), nil
}

// formatTime writes 0, 3, 6 or 9 digits behind the second.
func formatTime(at time.Time) string {
	at = at.UTC()
	text := at.Format("2006-01-02T15:04:05")
	if ns := at.Nanosecond(); ns != 0 {
		digits := fmt.Sprintf("%09d", ns)
		for strings.HasSuffix(digits, "000") {
			digits = digits[:len(digits)-3]
		}
		text += "." + digits
	}
	return text + "Z"
}

// difference says where two events differ, empty when they do not.
func difference(got, want map[string]any) string {
	var parts []string
	for name, w := range want {
		g, ok := got[name]
		switch {
		case !ok:
			parts = append(parts, name+" is missing")
		case !equal(g, w):
			parts = append(parts, fmt.Sprintf("%s is %v, not %v", name, g, w))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			parts = append(parts, name+" does not belong there")
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a) // maps in the order of their keys
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
