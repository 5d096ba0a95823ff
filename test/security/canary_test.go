package security

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"data-stream-engine/utils"
)

// canary is a secret that nothing else looks like.
type canary struct{ name, value, setting string }

// canaries has one for each setting that is a secret: one that comes later is covered without a change here, unless it
// has to look like something.
type canaries []canary

// shapes are settings that take no text at all: # stands for the secret in them.
var shapes = map[string]string{
	"STORAGE_URL":                "postgres://recorder:#@127.0.0.1:1/insights?connect_timeout=1",
	"OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=#",
}

func newCanaries() canaries {
	var all canaries
	for _, s := range utils.Table() {
		if !s.Secret {
			continue
		}
		c := canary{name: s.Name, value: "canary/" + strings.ToLower(s.Name) + "~" + rand.Text()}
		c.setting = c.value
		if shape := shapes[s.Name]; shape != "" {
			c.setting = strings.ReplaceAll(shape, "#", url.QueryEscape(c.value))
		}
		all = append(all, c)
	}
	return all
}

// env are the settings, as values or in files of a folder.
func (all canaries) env(t *testing.T, folder string, but ...string) map[string]string {
	t.Helper()
	env := map[string]string{}
next:
	for _, c := range all {
		for _, name := range but {
			if c.name == name {
				continue next
			}
		}
		if folder == "" {
			env[c.name] = c.setting
			continue
		}
		file := filepath.Join(folder, c.name)
		if err := os.WriteFile(file, []byte(c.setting+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		env[c.name+"_FILE"] = file
	}
	return env
}

func (all canaries) value(name string) string {
	for _, c := range all {
		if c.name == name {
			return c.value
		}
	}
	return ""
}

// seen looks for each canary in a text, as it is and in the ways in which programs encode things.
func (all canaries) seen(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, c := range all {
		for how, form := range forms(c.value) {
			if at := bytes.Index(text, []byte(form)); at >= 0 {
				t.Errorf("%s is in %s, %s: ...%q...", c.name, where, how, text[max(at-80, 0):min(at+20, len(text))])
			}
		}
	}
}

// forms are how a secret may look.
func forms(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	all := map[string]string{
		"as it is": secret, "in a URL's query": url.QueryEscape(secret), "in a URL's path": url.PathEscape(secret),
		"in JSON": strings.Trim(string(quoted), `"`), "in hexadecimal": hex.EncodeToString([]byte(secret)), "in part": secret[len(secret)/2:],
	}
	// Inside something longer base64 looks in three ways, by where the secret begins; the digits at its ends depend on what
	// stands beside it.
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
			text := encoding.EncodeToString(padded)
			all["in "+name+string(rune('0'+shift))] = text[(shift*8+5)/6 : len(text)-2]
		}
	}
	return all
}

// folder looks through every file below, but those that are the secrets' own.
func (all canaries) folder(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			all.seen(t, path, text)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A search that finds nothing proves something only when it can find what is there.
func TestNoSecretIsSeenAnywhereCanFindOne(t *testing.T) {
	all := newCanaries()
	for _, c := range all {
		for shift := range 4 {
			around := strings.Repeat("x", shift) + c.value + "tail"
			for how, text := range map[string]string{
				"plain": around, "base64": base64.StdEncoding.EncodeToString([]byte(around)), "URL base64": base64.URLEncoding.EncodeToString([]byte(around)),
				"hex": hex.EncodeToString([]byte(around)), "query": url.QueryEscape(around),
			} {
				found := false
				for _, form := range forms(c.value) {
					found = found || strings.Contains(text, form)
				}
				if !found {
					t.Errorf("%s would not be found in %s", c.value, how)
				}
			}
		}
	}
	for _, name := range []string{"KAFKA_SASL_PASSWORD", "HASH_KEY"} {
		if all.value(name) == "" {
			t.Errorf("%s is no secret", name)
		}
	}
}
