package utils

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 1048576, 512KiB, 1MiB or 2GiB.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimSpace(string(text))
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = strings.TrimSpace(rest), n
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return errors.New("is not a number of bytes such as 1048576, 512KiB or 1MiB")
	}
	*s = Size(n * unit)
	return nil
}

// String is the shortest exact form.
func (s Size) String() string {
	for _, u := range []struct {
		suffix string
		n      Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s >= u.n && s%u.n == 0 {
			return fmt.Sprintf("%d%s", s/u.n, u.suffix)
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
