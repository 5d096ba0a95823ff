package aggregate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// filled is what a byteMap holds.
func filled(m *byteMap) map[string]string {
	all := map[string]string{}
	for n := range m.entries {
		if e := &m.entries[n]; !e.gone {
			all[string(m.keyOf(e))] = string(m.valueOf(e))
		}
	}
	return all
}

func TestByteMapHoldsWhatAMapHolds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		m, want := newByteMap(), map[string]string{}
		keys := 1 + r.IntN(500)
		for step := range 20_000 {
			key := fmt.Appendf(nil, "%d", r.IntN(keys))
			n, hash := m.find(key)
			old, known := want[string(key)]
			if known != (n >= 0) || known && string(m.valueOf(&m.entries[n])) != old {
				t.Fatalf("seed %d, step %d: %q is entry %d, want %q, %v", seed, step, key, n, old, known)
			}
			switch {
			case known && r.IntN(3) == 0:
				m.drop(n)
				delete(want, string(key))
			default:
				value := bytes.Repeat([]byte{byte(step)}, r.IntN(1+r.IntN(200)))
				if want[string(key)] = string(value); known {
					m.replace(n, value)
				} else {
					m.insert(hash, key, value)
				}
			}
			if m.len() != len(want) {
				t.Fatalf("seed %d, step %d: %d keys, want %d", seed, step, m.len(), len(want))
			}
		}
		if got := filled(&m); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %v\nwant %v", seed, got, want)
		}
	}
}

func TestByteMapKeepsTheOrderOfKeys(t *testing.T) {
	m := newByteMap()
	for i := range 1000 {
		key := fmt.Appendf(nil, "%04d", i)
		_, hash := m.find(key)
		m.insert(hash, key, key)
		if i%3 == 0 {
			n, _ := m.find(key)
			m.drop(n)
		}
	}
	last := ""
	for n := range m.entries {
		if e := &m.entries[n]; !e.gone {
			if key := string(m.keyOf(e)); key <= last {
				t.Fatalf("%s came behind %s", key, last)
			} else {
				last = key
			}
		}
	}
}

// TestByteMapTakesMemoryForWhatItHolds: neither values that grow nor keys that come and go leave more behind than there is.
func TestByteMapTakesMemoryForWhatItHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m := newByteMap()
	for step := range 400_000 {
		key := fmt.Appendf(nil, "%d", step-r.IntN(1000)) // a thousand keys that wander
		n, hash := m.find(key)
		value := make([]byte, r.IntN(100))
		if n < 0 {
			m.insert(hash, key, value)
		} else {
			m.replace(n, value)
		}
		if n, _ := m.find(fmt.Appendf(nil, "%d", step-1000)); n >= 0 {
			m.drop(n)
		}
	}
	holds := 0
	for key, value := range filled(&m) {
		holds += len(key) + len(value)
	}
	const overhead = 128 << 10 // the last chunk, and what is not worth packing
	if got := m.bytes(); m.len() > 2000 || got > 4*holds+m.len()*100+overhead {
		t.Errorf("%d keys with %d bytes take %d", m.len(), holds, got)
	}
}

func TestByteMapShrinks(t *testing.T) {
	m := newByteMap()
	for i := range 100_000 {
		key := fmt.Appendf(nil, "%d", i)
		_, hash := m.find(key)
		m.insert(hash, key, make([]byte, 50))
	}
	most := m.bytes()
	for n := range m.entries {
		m.drop(n)
	}
	for i := range 400_000 { // one at a time
		key := fmt.Appendf(nil, "x%d", i)
		n, hash := m.find(key)
		if n < 0 {
			n = m.insert(hash, key, nil)
		}
		m.drop(n)
	}
	if got := m.bytes(); got > most/20 {
		t.Errorf("%d keys take %d bytes, a hundred thousand took %d", m.len(), got, most)
	}
}
