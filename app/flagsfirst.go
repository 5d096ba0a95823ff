package app

import "strings"

// flagsFirst puts flags before the other arguments, so that `try FILE --json` means what it says: package flag stops at
// the first argument that is no flag. withValue are the flags that take the argument behind them.
func flagsFirst(args []string, withValue ...string) []string {
	var flags, rest []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(append(flags, rest...), args[i+1:]...)
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		for _, name := range withValue {
			if strings.TrimLeft(arg, "-") == name && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return append(flags, rest...)
}
