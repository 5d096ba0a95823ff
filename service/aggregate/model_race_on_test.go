//go:build race

package aggregate

const defaultSeeds = 100
