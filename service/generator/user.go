package generator

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strconv"
)

// user is one who logs in, always with the same device from the same place.
type user struct {
	id         []byte // UUID, version 4
	device     []byte
	ip         []byte
	deviceType string
	locale     string
	client     uint8
}

func newUser(r *rand.Rand) user {
	return user{id: uuid(r), device: device(r), ip: address(r), deviceType: deviceType(r), locale: locale(r), client: uint8(r.IntN(clients))}
}

// uuid is a random UUID (RFC 9562, version 4).
func uuid(r *rand.Rand) []byte {
	var b [16]byte
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := make([]byte, 36)
	hex.Encode(text, b[:4])
	hex.Encode(text[9:], b[4:6])
	hex.Encode(text[14:], b[6:8])
	hex.Encode(text[19:], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return text
}

// device is a number such as 593-47-5928.
func device(r *rand.Rand) []byte {
	b := strconv.AppendInt(nil, 100+int64(r.IntN(900)), 10)
	b = strconv.AppendInt(append(b, '-'), 10+int64(r.IntN(90)), 10)
	return strconv.AppendInt(append(b, '-'), 1000+int64(r.IntN(9000)), 10)
}

// address is an IPv4 address for nine users of ten, otherwise an IPv6 address.
func address(r *rand.Rand) []byte {
	if r.IntN(10) > 0 {
		return netip.AddrFrom4([4]byte{byte(1 + r.IntN(223)), byte(r.IntN(256)), byte(r.IntN(256)), byte(1 + r.IntN(254))}).AppendTo(nil)
	}
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8} // documentation prefix, RFC 3849
	for i := 4; i < len(b); i++ {
		b[i] = byte(r.Uint32())
	}
	return netip.AddrFrom16(b).AppendTo(nil)
}

func deviceType(r *rand.Rand) string {
	if r.IntN(100) < 58 {
		return "android"
	}
	return "iOS"
}

func locale(r *rand.Rand) string {
	locales := [...]string{"US", "US", "US", "US", "DE", "FR", "GB", "IN", "IN", "BR", "JP", "RU", "PL", "ES", "MX", "ID", "NG", "SE"}
	return locales[r.IntN(len(locales))]
}
