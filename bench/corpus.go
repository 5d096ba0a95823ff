package main

import (
	"math/rand/v2"
	"time"

	"data-stream-engine/service/generator"
)

// corpus is a number of user logins that every client sends over and over, so that making them is not measured.
type corpus struct {
	keys, values [][]byte
	start        time.Time
}

// newCorpus makes events whose values have exactly size bytes: the generator's, with a field that fills them up.
func newCorpus(count, size int) corpus {
	c := corpus{start: time.UnixMilli(1_700_000_000_000)}
	config := generator.Default()
	config.Seed, config.Start, config.Broken, config.NoUser = 1, c.start, 0, 0
	g, random := generator.New(config), rand.New(rand.NewPCG(1, 1))
	for len(c.values) < count {
		e := g.Next(make([]byte, 0, size))
		value := append(e.Value[:len(e.Value)-1], `, "session": "`...)
		if len(value) > size-2 {
			continue
		}
		for len(value) < size-2 {
			value = append(value, "0123456789abcdef"[random.IntN(16)])
		}
		c.keys, c.values = append(c.keys, e.Key), append(c.values, append(value, `"}`...))
	}
	return c
}

// at is event i; its timestamp is in milliseconds.
func (c *corpus) at(i int) (key, value []byte, timestamp int64) {
	at := i % len(c.values)
	return c.keys[at], c.values[at], c.start.UnixMilli() + int64(i/1000)
}

// digest is what a consumer makes of all its messages: a reason to touch each key and value, and a proof that it did.
type digest struct{ messages, bytes, sum int64 }

func (d *digest) add(key, value []byte) {
	d.messages++
	d.bytes += int64(len(key) + len(value))
	if len(key) > 0 {
		d.sum += int64(key[0])
	}
	if len(value) > 0 {
		d.sum += int64(value[0]) + int64(value[len(value)-1])
	}
}

func (d *digest) join(other digest) {
	d.messages += other.messages
	d.bytes += other.bytes
	d.sum += other.sum
}
