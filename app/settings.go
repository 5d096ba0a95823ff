package app

import (
	"context"
	"io"
	"text/tabwriter"

	"data-stream-engine/utils"
)

// settings lists what there is to set. It lists the values too, unless they are wrong: then it says so as well.
func settings(_ context.Context, p Process) error {
	set := newFlags("settings")
	markdown := set.Bool("markdown", false, "print the table for the README, without values")
	if err := p.flags(set, 0); err != nil {
		return err
	}
	if *markdown {
		_, err := io.WriteString(p.Stdout, utils.Markdown())
		return err
	}
	var rows []utils.Row
	s, loadErr := utils.Load(p.Dir, p.Environ)
	if loadErr == nil {
		rows = s.Rows()
	} else {
		for _, t := range utils.Table() {
			rows = append(rows, utils.Row{Setting: t, Value: "?"})
		}
	}
	w := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	say(w, "SETTING\tVALUE\tDEFAULT\tACCEPTED\tMEANING\n")
	for _, r := range rows {
		say(w, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.Value, r.Default, r.Accepted, r.Meaning)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return loadErr
}
