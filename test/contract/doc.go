// Package contract holds the running service against its OpenAPI document: every operation and every status that the
// document names is asked for, and each answer has to be what it says. It is a module of its own, since the validator's
// dependencies are not the service's.
package contract
