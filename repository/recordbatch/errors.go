package recordbatch

import "fmt"

// Codes of a BatchError: short and stable, fit for a dead letter's class.
const (
	CodeCRC      = "crc_mismatch"           // the bytes are not those that were written
	CodeTooLarge = "too_large_decompressed" // the records are larger than the bound
	CodeCorrupt  = "corrupt"                // the checksum is right or cannot be found, the structure is wrong
	CodeOldMagic = "old_magic"              // message format 0 or 1
)

// BatchError says which offsets cannot be read, and why. Nothing from FirstOffset on was handed out; everything
// before it was. LastOffset is the last offset that the batch is known to hold. When its header cannot be trusted, that
// is FirstOffset itself. After a mismatch of the checksum no offset is certain: a caller caps it by the high watermark.
type BatchError struct {
	FirstOffset, LastOffset int64
	Code                    string
	Err                     error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("record batch at offsets %d to %d: %s: %v", e.FirstOffset, e.LastOffset, e.Code, e.Err)
}

func (e *BatchError) Unwrap() error { return e.Err }
