package expression

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
)

// minKey is how many bytes a hash key has at least: shorter ones can be guessed, and with them the hashed values.
const minKey = 16

// hashBytes is how much of an HMAC-SHA-256 is kept: 128 bits, which never meet by chance.
const hashBytes = 16

// signer computes hash. A nil signer has no key.
type signer struct {
	prefix string // "k2:" when keys have ids
	secret []byte
	macs   sync.Pool
}

// newSigner reads a key in the form of HASH_KEY: "secret", or "k2:secret,k1:secret" where the first one signs and the
// others are kept for whoever still has to recognize older hashes. No error shows a part of a secret.
func newSigner(text string) (*signer, error) {
	if text == "" {
		return nil, nil
	}
	if _, _, named := splitKey(text); !named {
		if len(text) < minKey {
			return nil, fmt.Errorf("the hash key has %d bytes, it takes at least %d", len(text), minKey)
		}
		return signerOf("", text), nil
	}
	var first *signer
	seen := map[string]bool{}
	for i, part := range strings.Split(text, ",") {
		id, secret, ok := splitKey(part)
		if !ok {
			return nil, fmt.Errorf("hash key %d has no id: each one is written id:secret", i+1)
		}
		if len(secret) < minKey {
			return nil, fmt.Errorf("hash key %s has %d bytes, it takes at least %d", id, len(secret), minKey)
		}
		if seen[id] {
			return nil, fmt.Errorf("two hash keys have the id %s", id)
		}
		seen[id] = true
		if first == nil {
			first = signerOf(id+":", secret)
		}
	}
	return first, nil
}

func signerOf(prefix, secret string) *signer {
	s := &signer{prefix: prefix, secret: []byte(secret)}
	s.macs.New = func() any { return hmac.New(sha256.New, s.secret) }
	return s
}

// splitKey takes "k2:secret" apart. An id is a letter and up to 15 letters or digits, so that a plain key in hex or
// base64 is never taken for one with an id.
func splitKey(s string) (id, secret string, ok bool) {
	id, secret, ok = strings.Cut(s, ":")
	if !ok || id == "" || len(id) > 16 {
		return "", "", false
	}
	for i := range len(id) {
		c := id[i] | 0x20
		letter, digit := 'a' <= c && c <= 'z', '0' <= id[i] && id[i] <= '9'
		if !letter && (i == 0 || !digit) {
			return "", "", false
		}
	}
	return id, secret, true
}

// hash hides a value and stays the same for the same value and key: the first 16 bytes of HMAC-SHA-256 in hex. An
// integer is hashed as its decimal digits.
func (s *signer) hash(args []any) (any, error) {
	if s == nil {
		return nil, errors.New("hash needs a key: set HASH_KEY")
	}
	text, ok := args[0].(string)
	if !ok {
		text = strconv.FormatInt(args[0].(int64), 10)
	}
	mac := s.macs.Get().(hash.Hash)
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte(text))
	var digest [sha256.Size]byte
	var out [16 + 1 + 2*hashBytes]byte
	buf := append(out[:0], s.prefix...)
	return string(hex.AppendEncode(buf, mac.Sum(digest[:0])[:hashBytes])), nil
}
