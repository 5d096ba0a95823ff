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
	shelf   *shelf
	key     int    // where it begins in bytes; its old value lies behind it
	entry   uint32 // the number that it had: see shelf.locate
	oldSize uint32
	keySize uint16
	had     bool // a value
	written bool // to the changelog
}

func (p *page) key(c *change) []byte {
	end := c.key + int(c.keySize)
	return p.bytes[c.key:end:end]
}

// before is the old value, nil without one.
func (p *page) before(c *change) []byte {
	if !c.had {
		return nil
	}
	from := c.key + int(c.keySize)
	to := from + int(c.oldSize)
	return p.bytes[from:to:to]
}

// note adds a change of an entry that had a value, or had none.
func (p *page) note(s *shelf, e entry, had bool) {
	c := change{shelf: s, key: len(p.bytes), entry: uint32(e.number()), keySize: uint16(len(e.key())), had: had}
	p.bytes = append(p.bytes, e.key()...)
	if had {
		c.oldSize = uint32(e.valueSize())
		p.bytes = append(p.bytes, e.value()...)
	}
	p.changes = append(p.changes, c)
}

// keptPage is how much memory a page may have, in bytes, of which hardly anything was used.
const keptPage = 1 << 20

// reset forgets all changes. The next merge commit will need about as much memory as this one did: more than a few times
// that is given back.
func (p *page) reset() {
	const changeSize, few = 32, 4
	clear(p.changes) // their shelves may be gone
	if cap(p.changes)*changeSize+cap(p.bytes) > max(keptPage, few*(len(p.changes)*changeSize+len(p.bytes))) {
		*p = page{}
	}
	p.changes, p.bytes = p.changes[:0], p.bytes[:0]
}

// undo brings the old values back, the last change first.
func (p *page) undo() {
	for i := len(p.changes) - 1; i >= 0; i-- {
		c := &p.changes[i]
		s := c.shelf
		e, hash := s.find(p.key(c))
		switch {
		case !c.had && e != nil:
			s.drop(e)
		case c.had && e == nil:
			s.insert(hash, p.key(c), p.before(c))
		case c.had:
			s.replace(e, p.before(c))
		}
	}
	p.reset()
}

// set changes the value of a key and notes what was there before.
func (j *journal) set(s *shelf, key, value []byte) {
	e, hash := s.find(key)
	j.setAt(s, e, hash, key, value)
}

// setAt is set for a key that was looked for: e and hash are what find said. It returns the entry.
func (j *journal) setAt(s *shelf, e entry, hash uint64, key, value []byte) entry {
	if e == nil {
		e = s.insert(hash, key, value)
		e.touch(j.generation)
		j.open.note(s, e, false)
		return e
	}
	j.touch(s, e)
	return s.replace(e, value)
}

// remove forgets a key and notes what was there.
func (j *journal) remove(s *shelf, key []byte) {
	if e, _ := s.find(key); e != nil {
		j.removeAt(s, e)
	}
}

// removeAt is remove for an entry.
func (j *journal) removeAt(s *shelf, e entry) {
	j.touch(s, e)
	s.drop(e)
}

// touch notes what an entry has, unless it was changed in this generation before.
func (j *journal) touch(s *shelf, e entry) {
	if e.touched() != j.generation {
		j.open.note(s, e, true)
		e.touch(j.generation)
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
