package task

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"strings"
	"time"
)

// Login is an event of the source topic.
type Login struct {
	UserID     string      `json:"user_id"`
	AppVersion string      `json:"app_version"`
	DeviceType string      `json:"device_type"`
	IP         string      `json:"ip"`
	Locale     string      `json:"locale"`
	DeviceID   string      `json:"device_id"`
	Timestamp  json.Number `json:"timestamp"` // a number, or one as text
}

// Processed is a record of the output topic.
type Processed struct {
	UserID      string `json:"user_id"`
	AppVersion  string `json:"app_version"`
	DeviceType  string `json:"device_type"`
	IP          string `json:"ip"`
	Locale      string `json:"locale"`
	DeviceID    string `json:"device_id"`
	LoginAt     string `json:"login_at"`
	ProcessedAt string `json:"processed_at"`
}

// Logins processes user logins with a JSON library. It is for one goroutine.
type Logins struct {
	unmarshal func([]byte, any) error
	marshal   func(any) ([]byte, error)
	mac       hash.Hash
	digest    []byte
}

// NewLogins returns a processor that hashes with key.
func NewLogins(key string, unmarshal func([]byte, any) error, marshal func(any) ([]byte, error)) *Logins {
	return &Logins{unmarshal: unmarshal, marshal: marshal, mac: hmac.New(sha256.New, []byte(key))}
}

// Now is the time as processed_at has it.
func Now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// Process makes the output record of an event: its key and value, both nil when the event is none that passes the
// filter. An error means that the event belongs to the dead letters.
func (l *Logins) Process(event []byte, now string) (key, value []byte, err error) {
	if len(event) == 0 || event[0] != '{' { // the libraries accept null for a struct
		return nil, nil, errors.New("not a JSON object")
	}
	var in Login
	if err := l.unmarshal(event, &in); err != nil {
		return nil, nil, err
	}
	if in.UserID == "" || in.DeviceType != "android" && in.DeviceType != "iOS" {
		return nil, nil, nil
	}
	ip, err := mask(in.IP)
	if err != nil {
		return nil, nil, err
	}
	at, err := in.Timestamp.Int64()
	if err != nil {
		return nil, nil, fmt.Errorf("timestamp: %w", err)
	}
	value, err = l.marshal(&Processed{
		UserID: in.UserID, AppVersion: in.AppVersion, DeviceType: strings.ToLower(in.DeviceType), IP: ip, Locale: in.Locale,
		DeviceID: l.hash(in.DeviceID), LoginAt: time.Unix(at, 0).UTC().Format(time.RFC3339), ProcessedAt: now,
	})
	return []byte(in.UserID), value, err
}

// hash is the first half of an HMAC-SHA-256 in hex.
func (l *Logins) hash(text string) string {
	l.mac.Reset()
	l.mac.Write([]byte(text))
	l.digest = l.mac.Sum(l.digest[:0])
	return hex.EncodeToString(l.digest[:16])
}

// mask keeps the first 24 bits of an IPv4 address, 48 of an IPv6 address.
func mask(ip string) (string, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "", err
	}
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return "", err
	}
	return prefix.Addr().String(), nil
}
