package repository

import (
	"strconv"
	"strings"

	"data-stream-engine/model"
)

// noteText is the text of a note as it is committed: `v1;t=<topic id>;n=<partitions of the topic>`, and behind that, when
// there is something to say, `;w=<watermark>`, `;i=1` for idle, `;s=<sequence>` and `;r=<replays>`. It is what an OffsetCommit takes, and
// made for each partition at each commit.
func noteText(n model.Note) *string {
	var room [128]byte // what is longer is allocated
	b := append(room[:0], "v1;t="...)
	b = append(b, n.TopicID...)
	b = strconv.AppendInt(append(b, ";n="...), int64(n.Partitions), 10)
	if n.Watermark != model.NoWatermark {
		b = strconv.AppendInt(append(b, ";w="...), n.Watermark, 10)
	}
	if n.Idle {
		b = append(b, ";i=1"...)
	}
	if n.Sequence > 0 {
		b = strconv.AppendInt(append(b, ";s="...), n.Sequence, 10)
	}
	if n.Replays != "" {
		b = append(append(b, ";r="...), n.Replays...)
	}
	s := string(b)
	return &s
}

// parseNote reads the text of a note. Of a text that is not ours nothing is known. Keys that are not known are left to
// later versions, values that cannot be read are as if they were not there.
func parseNote(s string) model.Note {
	n := model.Note{Watermark: model.NoWatermark}
	version, rest, _ := strings.Cut(s, ";")
	if version != "v1" {
		return n
	}
	for field := range strings.SplitSeq(rest, ";") {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "t":
			n.TopicID = value
		case "n":
			n.Partitions = int(number(value, 0))
		case "w":
			n.Watermark = number(value, model.NoWatermark)
		case "i":
			n.Idle = value == "1"
		case "s":
			n.Sequence = number(value, 0)
		case "r":
			n.Replays = value
		}
	}
	return n
}

// number is what the digits say, or what stands for none.
func number(digits string, none int64) int64 {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n
	}
	return none
}
