package utils

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// dotenv is the file that holds settings for a directory.
const dotenv = ".env"

// Load reads the settings from environ (as os.Environ gives it) and from the file .env in dir, which may be missing.
// What environ says wins. Every setting that is wrong is named by the one error that Load returns, a *SettingsError.
func Load(dir string, environ []string) (*Settings, error) {
	s := &Settings{}
	var problems SettingsError
	s.environment = environment(dir, environ, everySecret, &problems)
	fields := fieldsOf(s)
	s.parse(fields, &problems)
	for _, f := range fields {
		s.checkField(f, &problems)
	}
	s.checkValues(&problems)
	s.checkTogether(&problems)
	s.Warnings = append(s.Warnings, unknown(s.environment, fields)...)
	s.hideSecrets(fields)
	if len(problems.Problems) > 0 {
		return nil, &problems
	}
	return s, nil
}

// Environment is where Load looks, for commands that need a variable or two and no settings. Secrets are not in it.
func Environment(dir string, environ []string) (lookup func(string) (string, bool), err error) {
	var problems SettingsError
	s := &Settings{environment: environment(dir, environ, func(string) bool { return false }, &problems)}
	s.hideSecrets(fieldsOf(s))
	if len(problems.Problems) > 0 {
		return nil, &problems
	}
	return s.Lookup, nil
}

// FindSecret is a secret of the environment, for commands that need one and no settings; empty when it is not set. The files of
// other secrets need not be there.
func FindSecret(dir string, environ []string, name string) (Secret, error) {
	var problems SettingsError
	value := environment(dir, environ, func(n string) bool { return n == name }, &problems)[name]
	if len(problems.Problems) > 0 {
		return "", &problems
	}
	return Secret(value), nil
}

func everySecret(string) bool { return true }

// environment has of secrets in files those that are wanted.
func environment(dir string, environ []string, wanted func(secret string) bool, problems *SettingsError) map[string]string {
	file, err := readDotenv(filepath.Join(dir, dotenv))
	if err != nil {
		problems.add(dotenv, "", err.Error(), "lines of NAME=value")
	}
	return merge(resolve(file, wanted, problems), resolve(toMap(environ), wanted, problems))
}

func (s *Settings) hideSecrets(fields []field) {
	for _, f := range fields {
		if f.Secret {
			delete(s.environment, f.Name)
		}
	}
}

// parse fills the fields; a value that its type does not take is a problem.
func (s *Settings) parse(fields []field, problems *SettingsError) {
	err := env.ParseWithOptions(s, env.Options{Environment: s.environment})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}
	for _, err := range all.Errors {
		var wrong env.ParseError
		if !errors.As(err, &wrong) {
			problems.add("settings", "", err.Error(), "")
			continue
		}
		i := slices.IndexFunc(fields, func(f field) bool { return f.goName == wrong.Name })
		problems.addField(fields[i], s.environment[fields[i].Name], "is not one of the values it takes")
	}
}

func readDotenv(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, errors.New("cannot be read: " + reason(err))
	}
	values, err := godotenv.UnmarshalBytes(content)
	if err != nil { // its text quotes the file, secrets and all
		return nil, fmt.Errorf("line %d cannot be read", wrongLine(content))
	}
	return values, nil
}

// wrongLine is where what cannot be read begins: after the last line up to which everything can.
func wrongLine(content []byte) int {
	line, next, end := 1, 1, 0
	for text := range bytes.Lines(content) {
		next, end = next+1, end+len(text)
		if _, err := godotenv.UnmarshalBytes(content[:end]); err == nil {
			line = next
		}
	}
	return line
}

// resolve drops what is set to nothing and replaces <NAME>_FILE of a secret with the file's content. It looks at one
// source at a time, so that a file named by the real environment beats a value in .env and the other way round never.
func resolve(values map[string]string, wanted func(secret string) bool, problems *SettingsError) map[string]string {
	out := make(map[string]string, len(values))
	for name, value := range values {
		if strings.TrimSpace(value) != "" {
			out[name] = value
		}
	}
	for _, setting := range Table() {
		path, ok := out[setting.Name+"_FILE"]
		if !ok || !setting.Secret {
			continue
		}
		delete(out, setting.Name+"_FILE")
		if !wanted(setting.Name) {
			continue
		}
		if _, both := out[setting.Name]; both {
			problems.add(setting.Name, "", "is set together with "+setting.Name+"_FILE", "one of the two")
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			problems.add(setting.Name+"_FILE", path, "cannot be read: "+reason(err), "a file with "+setting.Accepted)
			continue
		}
		secret := strings.TrimRight(string(content), "\r\n")
		if secret == "" {
			problems.add(setting.Name+"_FILE", path, "is empty", "a file with "+setting.Accepted)
			continue
		}
		out[setting.Name] = secret
	}
	return out
}

// reason is an error of the file system without the operation and the path, which the message has already.
func reason(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

func toMap(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			values[name] = value
		}
	}
	return values
}

func merge(low, high map[string]string) map[string]string {
	maps.Copy(low, high)
	return low
}

// SettingsError lists every wrong setting. The process that meets it exits with code 2.
type SettingsError struct {
	Problems []Problem
}

// Problem is one wrong setting.
type Problem struct {
	Name     string
	Value    string // as given; empty for secrets and for settings that are missing
	Text     string // what is wrong with it
	Accepted string
}

func (e *SettingsError) Error() string {
	var b strings.Builder
	b.WriteString("wrong settings:")
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.Name)
		if p.Value != "" {
			fmt.Fprintf(&b, "=%q", p.Value)
		}
		b.WriteString(" " + p.Text)
		if p.Accepted != "" {
			b.WriteString("; accepted: " + p.Accepted)
		}
	}
	return b.String()
}

func (e *SettingsError) add(name, value, text, accepted string) {
	e.Problems = append(e.Problems, Problem{Name: name, Value: value, Text: text, Accepted: accepted})
}

func (e *SettingsError) addField(f field, value, text string) {
	if f.Secret {
		value = ""
	}
	e.add(f.Name, value, text, f.Accepted)
}
