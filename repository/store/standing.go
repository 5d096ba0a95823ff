package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"data-stream-engine/model"
)

// latestSessions is how many sessions a table of groups looks at.
const latestSessions = 10_000

// standing is one window of an aggregate in memory: its groups, what they are searched by, and the numbers of their measures.
// It makes a table of 100,000 groups, searched or ordered by any measure, a matter of milliseconds.
type standing struct {
	slot
	groups []int64
	ends   []uint32 // of the words of each group
	words  []byte
	values map[string][]float64
	places map[int64][]int64 // of sessions: where those of each group are in the table, the latest first

	latest     bool // somebody saw it as the latest whole window
	made, used time.Time
	took       time.Duration
	orders     map[string][]int32
}

// build reads a window.
func (d *database) build(ctx context.Context, of series, at slot) (*standing, error) {
	began := time.Now()
	s := &standing{slot: at, values: map[string][]float64{}, orders: map[string][]int32{}}
	q := d.query().add("SELECT seq, group_id, group_values, document FROM insights WHERE aggregate = %s AND kind = %s AND definition = %s AND final IN (%s, %s)",
		of.aggregate, of.kind, of.definition, false, true)
	sessions := of.kind == string(model.InsightSession)
	if sessions {
		q.add(" ORDER BY window_start DESC LIMIT %s", latestSessions)
	} else {
		q.add(" AND window_start = %s", at.start)
	}
	if sessions {
		s.places = map[int64][]int64{}
	}
	rows, err := d.read.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq, id int64
		var group, document sql.RawBytes
		if err := rows.Scan(&seq, &id, &group, &document); err != nil {
			return nil, err
		}
		if sessions {
			if s.places[id] = append(s.places[id], seq); len(s.places[id]) > 1 { // an earlier one of the same group
				continue
			}
		}
		s.add(id, group, document)
	}
	s.made, s.took = time.Now(), time.Since(began)
	s.used = s.made
	return s, rows.Err()
}

func (s *standing) add(id int64, group, document []byte) {
	s.groups = append(s.groups, id)
	s.words = words(s.words, group)
	s.ends = append(s.ends, uint32(len(s.words)))
	n := len(s.groups)
	fields(field(document, "measures"), func(name, value []byte) bool {
		x, ok := number(value)
		if !ok {
			return true
		}
		list, known := s.values[string(name)]
		if !known && len(s.values) >= maxMeasures {
			return true
		}
		list = append(list, unknown(n-1-len(list))...)
		s.values[string(name)] = append(list, x)
		return true
	})
}

// maxMeasures bounds what a standing keeps of documents that somebody else has written.
const maxMeasures = 64

// least is the value of a group that has none: behind all others.
const least = -1.797693134862315708145274237317043567981e+308

func unknown(n int) []float64 {
	if n <= 0 {
		return nil
	}
	list := make([]float64, n)
	for i := range list {
		list[i] = least
	}
	return list
}

// text are the words of a group.
func (s *standing) text(i int32) []byte {
	from := uint32(0)
	if i > 0 {
		from = s.ends[i-1]
	}
	return s.words[from:s.ends[i]]
}

// order is the groups by a measure, the largest first, or by their words. The caller holds the lock of the standings.
func (s *standing) order(measure string) []int32 {
	values := s.values[measure]
	if values == nil {
		measure = ""
	}
	if order, ok := s.orders[measure]; ok {
		return order
	}
	values = append(values, unknown(len(s.groups)-len(values))...)
	order := make([]int32, len(s.groups))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), bytes.Compare(s.text(a), s.text(b)), cmp.Compare(s.groups[a], s.groups[b]))
	})
	s.orders[measure] = order
	return order
}

// bytes is about what it takes.
func (s *standing) bytes() int {
	return len(s.words) + len(s.groups)*(8+4+8*len(s.values)+4*len(s.orders))
}

// sessions are where the last n sessions of groups are in the table.
func (s *standing) sessions(groups []int64, n int) (places []int64) {
	for _, g := range groups {
		places = append(places, s.places[g][:min(n, len(s.places[g]))]...)
	}
	return places
}

// found puts together the first groups in order, and counts those that a search finds.
func (s *standing) found(order []int32, search []string, n int) (picked []int64, matched int) {
	if len(search) == 0 {
		for _, i := range order[:min(n, len(order))] {
			picked = append(picked, s.groups[i])
		}
		return picked, len(order)
	}
	fits := s.search(search)
	for _, i := range order {
		if !fits.has(i) {
			continue
		}
		if picked = append(picked, s.groups[i]); len(picked) == n {
			break
		}
	}
	return picked, fits.count
}

// fits are the groups that a search finds.
type fits struct {
	bits  []uint64
	count int
}

func (f *fits) add(i int32) {
	f.bits[i/64] |= 1 << (i % 64)
	f.count++
}

func (f *fits) has(i int32) bool { return f.bits[i/64]&(1<<(i%64)) != 0 }

// search looks for the longest word in the words of all groups at once, which is many times as fast as group by group, and for
// the others in those groups where it is.
func (s *standing) search(search []string) fits {
	f := fits{bits: make([]uint64, len(s.groups)/64+1)}
	others := make([][]byte, len(search))
	for i, word := range search {
		others[i] = []byte(word)
	}
	slices.SortFunc(others, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	rarest, others := others[0], others[1:]
	group := int32(0)
	for at := 0; ; {
		hit := bytes.Index(s.words[at:], rarest)
		if hit < 0 {
			return f
		}
		at += hit
		for int(s.ends[group]) <= at {
			group++
		}
		end := int(s.ends[group])
		if at+len(rarest) > end { // half of it is another group's
			at++
			continue
		}
		text := s.text(group)
		if !slices.ContainsFunc(others, func(w []byte) bool { return !bytes.Contains(text, w) }) {
			f.add(group)
		}
		at = end
	}
}
