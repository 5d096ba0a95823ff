// Package aggregate is windows and insights: how events in event time become the measures of groups, exactly, without a
// shuffle of the events themselves. docs/aggregation.md is the protocol and says why it is as it is.
//
// It works in two stages. Every instance combines the events of one transaction into partials (Combiner) and closes them
// with what it read (Announcer). The owner of a group's partition merges partials (Partition), closes windows that the
// watermark has passed, and writes insights. Both are pure: records in, records out; what the time is, what Kafka has
// committed and when to write comes in through arguments. All times are milliseconds since 1970.
package aggregate

import "math"

// Formats are the first byte of every record that is written here, so that a later version can tell.
const format = 1

// NoWatermark is the watermark of a partition that had no event yet. Nothing is late against it, and it holds all
// windows open.
const NoWatermark = math.MinInt64

// MaxGroupKey is how many bytes the values of a group may have, as JSON: an event beyond is a dead letter.
const MaxGroupKey = 1 << 10

// maxKey is the size of the longest key on a shelf: that of a session.
const maxKey = MaxGroupKey + 8
