package aggregate

// journal remembers what changed since the last merge commit that is known to have happened, so that it can be undone: a
// transaction that fails is processed again, and what it had merged must not count twice. Between sealing a merge commit
// and the word that it happened, the next one collects its changes already.
type journal struct {
	open, sealed page
	generation   uint32 // counts pages, from 1: what a restore has put in place was touched in none
}

// page are the changes of one merge commit, in their order.
type page struct {
	changes []change
	bytes   []byte
}

// change is what a key had before it was changed for the first time in a generation.
type change struct {
	shelf *shelf
	entry int // where it was: see shelf.locate
	key   int // where it begins in bytes
	old   int // where its old value begins
	end   int
	had   bool // it had one
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
	const changeSize = 48
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
		s := c.shelf
		n, hash := s.find(p.key(c))
		switch {
		case !c.had && n >= 0:
			s.drop(n)
		case c.had && n < 0:
			s.insert(hash, p.key(c), p.before(c))
		case c.had:
			s.replace(n, p.before(c))
		}
	}
	p.reset()
}

// set changes the value of a key and notes what was there before.
func (j *journal) set(s *shelf, key, value []byte) {
	n, hash := s.find(key)
	j.setAt(s, n, hash, key, value)
}

// setAt is set for a key that was looked for: n and hash are what find said. It returns the number of the entry.
func (j *journal) setAt(s *shelf, n int, hash uint64, key, value []byte) int {
	if n < 0 {
		n = s.insert(hash, key, value)
		s.entries[n].touched = j.generation
		j.open.note(change{shelf: s, entry: n}, key, nil)
		return n
	}
	j.touch(s, n)
	s.replace(n, value)
	return n
}

// remove forgets a key and notes what was there.
func (j *journal) remove(s *shelf, key []byte) {
	if n, _ := s.find(key); n >= 0 {
		j.removeAt(s, n)
	}
}

// removeAt is remove for an entry.
func (j *journal) removeAt(s *shelf, n int) {
	j.touch(s, n)
	s.drop(n)
}

// touch notes what an entry has, unless it was changed in this generation before.
func (j *journal) touch(s *shelf, n int) {
	e := &s.entries[n]
	if e.touched != j.generation {
		j.open.note(change{shelf: s, had: true, entry: n}, s.keyOf(e), s.valueOf(e))
		e.touched = j.generation
	}
}

// seal ends a generation: its changes are on their way. Those of the one before it are confirmed.
func (j *journal) seal() {
	j.sealed, j.open = j.open, j.sealed
	j.generation++
}

// confirm forgets the sealed changes: they are committed.
func (j *journal) confirm() { j.sealed.reset() }

// rollback undoes everything that is not confirmed. A new generation begins: what was touched in these has been put back.
func (j *journal) rollback() {
	j.open.undo()
	j.sealed.undo()
	j.generation++
}
