//go:build !race

package aggregate

const defaultSeeds = 2000
