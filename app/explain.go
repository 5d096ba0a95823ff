package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"data-stream-engine/service"
)

// explain shows what the pipeline that an instance runs makes of one record of its source topic, and why.
func explain(ctx context.Context, p Process) error {
	set := newFlags("explain")
	flags := newClientFlags(set)
	p.Args = flagsFirst(p.Args, "url")
	if err := p.flags(set, 2); err != nil {
		return err
	}
	partition, badPartition := strconv.ParseInt(set.Arg(0), 10, 32)
	offset, badOffset := strconv.ParseInt(set.Arg(1), 10, 64)
	if badPartition != nil || badOffset != nil || partition < 0 || offset < 0 {
		return usageError{errors.New("explain: which record? Its partition and its offset in the source topic, as in explain 3 18220193")}
	}
	c, err := flags.client(p)
	if err != nil {
		return err
	}
	query := url.Values{"partition": {set.Arg(0)}, "offset": {set.Arg(1)}}
	var raw json.RawMessage
	err = limited(ctx, answerTimeout, func(ctx context.Context) error { return c.get(ctx, "/api/v1/explain", query, &raw) })
	if err != nil {
		return err
	}
	var answer struct {
		Record struct {
			Value *string `json:"value"`
		} `json:"record"`
		Explanation service.Explanation `json:"explanation"`
	}
	return c.show(raw, &answer, func() {
		input := ""
		if answer.Record.Value != nil {
			input = *answer.Record.Value
		}
		explainText(p.Stdout, "partition "+set.Arg(0)+", offset "+set.Arg(1), []byte(input), &answer.Explanation)
	})
}
