package recordbatch

import "data-stream-engine/model"

// scanRecord decodes the record at the start of p. m gets its key, value and headers, and as Timestamp and Offset the
// record's deltas. headers is the slice that m.Headers is laid out in; it is grown when it is too small. The size of
// the record is returned, 0 when it is broken: nothing outside of p is read then either.
func scanRecord(p []byte, m *model.Message, headers *[]model.Header) int {
	length, i := varint(p, 0)
	if i < 0 || length < 0 || length > int64(len(p)-i) {
		return 0
	}
	size := i + int(length)
	p = p[:size]
	i++ // attributes: none are defined for a record
	if m.Timestamp, i = varint(p, i); i < 0 {
		return 0
	}
	if m.Offset, i = varint(p, i); i < 0 {
		return 0
	}
	if m.Key, i = scanBytes(p, i); i < 0 {
		return 0
	}
	if m.Value, i = scanBytes(p, i); i < 0 {
		return 0
	}
	if i == size-1 && p[i] == 0 {
		m.Headers = nil
		return size
	}
	if m.Headers, i = scanHeaders(p, i, (*headers)[:0]); i != size {
		return 0
	}
	*headers = m.Headers
	return size
}

// scanBytes reads a length and that many bytes; a negative length is null. The index behind them is -1 when p is too
// short. The slice cannot be appended into the bytes that follow it.
func scanBytes(p []byte, i int) ([]byte, int) {
	n, i := varint(p, i)
	if i < 0 || n > int64(len(p)-i) {
		return nil, -1
	}
	if n < 0 {
		return nil, i
	}
	end := i + int(n)
	return p[i:end:end], end
}

// scanHeaders reads a count and that many headers, appended to hs.
func scanHeaders(p []byte, i int, hs []model.Header) ([]model.Header, int) {
	n, i := varint(p, i)
	if i < 0 || n < 0 || n > int64(len(p)-i)/2 { // a header takes two bytes at least
		return nil, -1
	}
	for range n {
		var h model.Header
		if h.Key, i = scanBytes(p, i); i < 0 || h.Key == nil {
			return nil, -1
		}
		if h.Value, i = scanBytes(p, i); i < 0 {
			return nil, -1
		}
		hs = append(hs, h)
	}
	return hs, i
}

// headersSize is the number of bytes that appendHeaders writes.
func headersSize(hs []model.Header) int {
	n := varintLen(int64(len(hs)))
	for i := range hs {
		n += varintLen(int64(len(hs[i].Key))) + len(hs[i].Key) + bytesSize(hs[i].Value)
	}
	return n
}

// appendHeaders writes the count and the headers. A header's key cannot be null: a nil one is written as empty.
func appendHeaders(b []byte, hs []model.Header) []byte {
	b = appendVarint(b, int64(len(hs)))
	for i := range hs {
		b = append(appendVarint(b, int64(len(hs[i].Key))), hs[i].Key...)
		b = appendBytes(b, hs[i].Value)
	}
	return b
}

// lengthOf is the length field of a key or value: -1 for null.
func lengthOf(v []byte) int64 {
	if v == nil {
		return -1
	}
	return int64(len(v))
}

func bytesSize(v []byte) int { return varintLen(lengthOf(v)) + len(v) }

func appendBytes(b, v []byte) []byte { return append(appendVarint(b, lengthOf(v)), v...) }
