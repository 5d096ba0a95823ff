// Package harness is what the integration and the chaos tests stand on: brokers and engines as real processes, an
// independent client (franz-go's), a second implementation of the shipped pipeline, and a check that compares what came
// out with what went in, record by record. Windows are recomputed from the source topic alone: Replayed says which there
// have to be, Try holds the insights against them.
//
// It is a witness: it must never use the engine's own code to read, write or judge records. The one thing of the engine
// that it runs in a process of its own is the embedded broker, which is a target to test against.
package harness
