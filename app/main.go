// Package app puts the service together: it is the only place that sees every layer. Each command has a file. What is
// decided about events, and how Kafka is talked to, is none of its business.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"data-stream-engine/model"
	"data-stream-engine/utils"
)

// The exit codes.
const (
	exitOK            = 0
	exitFailed        = 1
	exitMisconfigured = 2 // settings, the pipeline file or the command line: starting again will not help
)

// Process is what a command gets from the operating system.
type Process struct {
	Args    []string  // without the program's name
	Environ []string  // NAME=value
	Dir     string    // where .env lies, and what relative paths start from: the working directory
	Stdin   io.Reader // nil: the operating system's
	Stdout  io.Writer
	Stderr  io.Writer

	command string // set by Main
}

// command is one thing that the program can be told to do.
type command struct {
	name, arguments, summary string
	run                      func(context.Context, Process) error
}

func commands() []command {
	return []command{
		{"run", "", "run the pipeline (also without any command)", run},
		{"validate", "[FILE|FOLDER...]", "check pipeline files, and the pipeline files of folders", validate},
		{"try", "[flags] [FILE]", "show what each stage of a pipeline makes of the events on standard input", try},
		{"test", "DIR|FILE...", "run pipeline test files, *_test.yaml", testPipelines},
		{"generate", "[flags]", "write user logins to the source topic", generate},
		{"status", "[flags]", "how the group does, its instances, rates and lag", status},
		{"pause", "[--reason TEXT]", "make the whole group stand still, until resume", pause},
		{"resume", "", "let a paused group go on", resume},
		{"dead-letters", "list|replay", "list dead letters, or send them through the pipeline once more", deadLetters},
		{"explain", "PARTITION OFFSET", "show what the running pipeline makes of one record, and why", explain},
		{"health", "[--live]", "ask a running instance whether it is ready, or alive", health},
		{"settings", "[--markdown]", "list the settings and their values", settings},
		{"version", "", "print the version", printVersion},
	}
}

// Main runs the command that the arguments name and returns the exit code. It returns soon after ctx ends.
func Main(ctx context.Context, p Process) int {
	name := "run"
	if len(p.Args) > 0 {
		name, p.Args = p.Args[0], p.Args[1:]
	}
	p.command = name
	switch name {
	case "help", "-h", "-help", "--help":
		usage(p.Stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == name {
			return p.exit(c.run(ctx, p))
		}
	}
	say(p.Stderr, "there is no command %q\n\n", name)
	usage(p.Stderr)
	return exitMisconfigured
}

func usage(w io.Writer) {
	say(w, "data-stream-engine: from Kafka topic to Kafka topic, exactly once\n\nCommands:\n")
	for _, c := range commands() {
		say(w, "  %-24s %s\n", c.name+" "+c.arguments, c.summary)
	}
	say(w, "\nSettings come from the environment and from the file .env; `settings` lists them.\nExit codes: 0 done, 1 failed, 2 wrong settings, pipeline file or command line.\n")
}

// say writes to a person; when nobody can be told, that cannot be told either.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// exit tells what went wrong, once, and what that makes of the process.
func (p Process) exit(err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	code, intro := exitFailed, "failed: "
	var misused usageError
	var wrong *utils.SettingsError
	if errors.As(err, &misused) || errors.As(err, &wrong) || misconfigured(err) {
		code, intro = exitMisconfigured, ""
	}
	if p.logsJSON() {
		log := utils.NewLog(p.Stderr, "error", "json")
		log.Error().Err(err).Int("exit_code", code).Msg(p.command + " ended with an error")
	} else {
		say(p.Stderr, "%s%v\n", intro, err)
	}
	return code
}

// logsJSON tells whether every line of a command has to be JSON: whoever collects the log should find the reason of its
// end in it. The settings may be what is wrong, so that only the environment is asked then.
func (p Process) logsJSON() bool {
	if p.command != "run" && p.command != "generate" {
		return false
	}
	format := ""
	if lookup, err := utils.Environment(p.Dir, p.Environ); err == nil {
		format, _ = lookup("LOG_FORMAT")
	} else {
		for _, line := range p.Environ {
			if value, ok := strings.CutPrefix(line, "LOG_FORMAT="); ok {
				format = value
			}
		}
	}
	return strings.EqualFold(strings.TrimSpace(format), "json")
}

func misconfigured(err error) bool {
	var e *model.Error
	return errors.As(err, &e) && e.Class == model.Misconfigured
}

// usageError is a wrong command line.
type usageError struct{ error }

// flags parses the arguments of a command, of which at most rest may be left over.
func (p Process) flags(set *flag.FlagSet, rest int) error {
	set.SetOutput(p.Stderr)
	if err := set.Parse(p.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{fmt.Errorf("%s: see the list above", set.Name())}
	}
	if set.NArg() > rest {
		return usageError{fmt.Errorf("%s: cannot do anything with %q", set.Name(), set.Arg(rest))}
	}
	return nil
}

func newFlags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }
