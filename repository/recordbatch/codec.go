package recordbatch

import (
	"fmt"
	"strings"
)

// Codec is the compression of a batch, by Kafka's own number.
type Codec int8

// The codecs that Kafka knows.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (c Codec) String() string {
	if c >= 0 && int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("codec(%d)", int8(c))
}

// ParseCodec reads a codec's name as Kafka's compression.type spells it. The error lists the accepted names.
func ParseCodec(name string) (Codec, error) {
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("unknown compression %q: use one of %s", name, strings.Join(codecNames[:], ", "))
}
