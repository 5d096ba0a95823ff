package expression

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

func TestMACIsThatOfCryptoHMACForAllLengths(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = byte(i*7 + 3)
	}
	for keySize := range 150 {
		m, known := newMAC(long[:keySize]), hmac.New(sha256.New, long[:keySize])
		if !m.padding {
			t.Fatal("SHA-256 keeps its state in a form that is not known: hash is slower than it need be")
		}
		without := newMAC(long[:keySize])
		without.padding = false
		for size := range len(long) + 1 {
			message := long[len(long)-size:]
			known.Reset()
			known.Write(message)
			want := known.Sum(nil)
			if got := m.sum(message); !bytes.Equal(got, want) {
				t.Fatalf("a key of %d bytes, %d bytes: %x, want %x", keySize, size, got, want)
			}
			if got := without.sum(message); !bytes.Equal(got, want) {
				t.Fatalf("a key of %d bytes, %d bytes, as Go pads them: %x, want %x", keySize, size, got, want)
			}
		}
	}
}
