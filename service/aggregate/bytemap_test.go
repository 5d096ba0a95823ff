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
	for n := range m.order {
		if e := m.numbered(n); e != nil {
			all[string(e.key())] = string(e.value())
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
			e, hash := m.find(key)
			old, known := want[string(key)]
			if known != (e != nil) || known && string(e.value()) != old {
				t.Fatalf("seed %d, step %d: %q is %x, want %q, %v", seed, step, key, e, old, known)
			}
			switch {
			case known && r.IntN(3) == 0:
				m.drop(e)
				delete(want, string(key))
			default:
				value := bytes.Repeat([]byte{byte(step)}, r.IntN(1+r.IntN(200)))
				if want[string(key)] = string(value); known {
					m.replace(e, value)
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
			e, _ := m.find(key)
			m.drop(e)
		}
	}
	last := ""
	for n := range m.order {
		if e := m.numbered(n); e != nil {
			if key := string(e.key()); key <= last {
				t.Fatalf("%s came behind %s", key, last)
			} else {
				last = key
			}
		}
	}
}

// TestByteMapKeepsTheOrderOfEntriesThatMove, into chunks of their own too, and what is known of them.
func TestByteMapKeepsTheOrderOfEntriesThatMove(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	m := newByteMap()
	const keys = 50
	for i := range keys {
		key := fmt.Appendf(nil, "%02d", i)
		_, hash := m.find(key)
		m.insert(hash, key, nil).touch(uint32(i))
	}
	var values [keys][]byte
	for range 2000 {
		i := r.IntN(keys)
		e, _ := m.find(fmt.Appendf(nil, "%02d", i))
		values[i] = bytes.Repeat([]byte{byte(i)}, r.IntN(1+r.IntN(2*chunkSize)))
		if e = m.replace(e, values[i]); e.number() != i || !bytes.Equal(e.value(), values[i]) {
			t.Fatalf("entry %d has number %d and %d bytes, want %d", i, e.number(), len(e.value()), len(values[i]))
		}
	}
	for i := range keys {
		e := m.numbered(i)
		if string(e.key()) != fmt.Sprintf("%02d", i) || !bytes.Equal(e.value(), values[i]) || e.touched() != uint32(i) {
			t.Errorf("entry %d is %q with %d bytes, changed in %d", i, e.key(), len(e.value()), e.touched())
		}
		if found, _ := m.find(e.key()); found == nil || found.number() != i {
			t.Errorf("entry %d is not found", i)
		}
	}
	if m.used+m.lost > 4*keys*chunkSize {
		t.Errorf("%d bytes are used, %d lost", m.used, m.lost)
	}
}

// TestByteMapTakesMemoryForWhatItHolds: neither values that grow nor keys that come and go leave more behind than there is.
func TestByteMapTakesMemoryForWhatItHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m := newByteMap()
	for step := range 400_000 {
		key := fmt.Appendf(nil, "%d", step-r.IntN(1000)) // a thousand keys that wander
		e, hash := m.find(key)
		value := make([]byte, r.IntN(100))
		if e == nil {
			m.insert(hash, key, value)
		} else {
			m.replace(e, value)
		}
		if e, _ := m.find(fmt.Appendf(nil, "%d", step-1000)); e != nil {
			m.drop(e)
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
	for n := range m.order {
		m.drop(m.numbered(n))
	}
	for i := range 400_000 { // one at a time
		key := fmt.Appendf(nil, "x%d", i)
		e, hash := m.find(key)
		if e == nil {
			e = m.insert(hash, key, nil)
		}
		m.drop(e)
	}
	if got := m.bytes(); got > most/20 {
		t.Errorf("%d keys take %d bytes, a hundred thousand took %d", m.len(), got, most)
	}
}
