// Package utils holds the few things every layer may lean on: the settings and where they come from, the transport to
// Kafka that they describe, the log, and the pause between two attempts. It must never import a layer of this module,
// and never decide anything about events.
package utils
