package aggregate

// journal remembers what changed since the last merge commit that is known to have happened, so that it can be undone: a
// transaction that fails is processed again, and what it had merged must not count twice. Between sealing a merge commit
// and the word that it happened, the next one collects its changes already.
type journal struct {
	open, sealed page
	generation   uint32
}

// page are the changes of one merge commit, in their order.
type page struct {
	changes []change
	bytes   []byte
}

// change is what a key had before it was changed for the first time in a generation.
type change struct {
	shelf      *shelf
	key        int // where it begins in bytes
	old        int // where its old value begins
	end        int
	had        bool   // it had one
	generation uint32 // of the entry
}

func (p *page) key(c *change) []byte { return p.bytes[c.key:c.old:c.old] }

// before is the old value, nil without one.
func (p *page) before(c *change) []byte {
	if !c.had {
		return nil
	}
	return p.bytes[c.old:c.end:c.end]
}

func (p *page) note(c change, key, old []byte) {
	c.key = len(p.bytes)
	p.bytes = append(p.bytes, key...)
	c.old = len(p.bytes)
	p.bytes = append(p.bytes, old...)
	c.end = len(p.bytes)
	p.changes = append(p.changes, c)
}

// keptPage is how large a page may be, in bytes, to be kept for the next merge commit.
const keptPage = 1 << 20

func (p *page) reset() {
	const changeSize = 64
	if len(p.bytes)+len(p.changes)*changeSize > keptPage {
		*p = page{}
		return
	}
	clear(p.changes)
	p.changes, p.bytes = p.changes[:0], p.bytes[:0]
}

// undo brings the old values back, the last change first.
func (p *page) undo() {
	for i := len(p.changes) - 1; i >= 0; i-- {
		c := &p.changes[i]
		switch {
		case c.had:
			c.shelf.put(p.key(c), p.before(c))
			if n, _ := c.shelf.find(p.key(c)); n >= 0 {
				c.shelf.entries[n].touched = c.generation
			}
		default:
			c.shelf.remove(p.key(c))
		}
	}
	p.reset()
}

// set changes a value and notes what was there before.
func (j *journal) set(s *shelf, key, value []byte) {
	n, _ := s.find(key)
	switch {
	case n < 0:
		j.open.note(change{shelf: s}, key, nil)
	case s.entries[n].touched != j.generation:
		e := &s.entries[n]
		j.open.note(change{shelf: s, had: true, generation: e.touched}, key, s.valueOf(e))
	}
	s.put(key, value)
	if n < 0 {
		n = len(s.entries) - 1
	}
	s.entries[n].touched = j.generation
}

// remove forgets a key and notes what was there.
func (j *journal) remove(s *shelf, key []byte) {
	n, _ := s.find(key)
	if n < 0 {
		return
	}
	e := &s.entries[n]
	if e.touched != j.generation {
		j.open.note(change{shelf: s, had: true, generation: e.touched}, key, s.valueOf(e))
	}
	s.remove(key)
}

// seal ends a generation: its changes are on their way.
func (j *journal) seal() {
	j.sealed, j.open = j.open, j.sealed
	j.open.reset()
	j.generation++
}

// confirm forgets the sealed changes: they are committed.
func (j *journal) confirm() { j.sealed.reset() }

// rollback undoes everything that is not confirmed.
func (j *journal) rollback() {
	j.open.undo()
	j.sealed.undo()
	j.generation++
}
