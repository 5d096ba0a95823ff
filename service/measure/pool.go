package measure

// Pool is the variable memory of cells: blocks of bytes that hold no pointers, so that a million groups cost the garbage
// collector nothing. It is for one goroutine.
type Pool struct{}
