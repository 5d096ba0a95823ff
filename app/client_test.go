package app

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"data-stream-engine/model"
)

// ask runs a command against the instance that runs in the place.
func (p *place) ask(t *testing.T, a *App, args ...string) (code int, out, err string) {
	t.Helper()
	addr := p.settings["HTTP_ADDR"]
	p.settings["HTTP_ADDR"] = a.Addr()
	defer func() { p.settings["HTTP_ADDR"] = addr }()
	p.out, p.err = &output{}, &output{}
	code = p.main(t, args...)
	return code, p.out.String(), p.err.String()
}

// The commands that operate an instance, one after the other as a person would, with a token.
func TestARunningInstanceIsOperatedByCommands(t *testing.T) {
	p := newPlace(t)
	p.settings["GENERATOR_RATE"], p.settings["HTTP_TOKEN"] = "2000", "a-token-of-sixteen-bytes-and-more"
	a, _ := p.start(t)
	p.eventually(t, "dead letters", func() bool { return a.metrics.Totals().DeadLetters > 3 })

	p.eventually(t, "a healthy status", func() bool {
		code, out, _ := p.ask(t, a, "status")
		return code == exitOK && has(out, "user-login", "INSTANCE", "reading", "0-2")
	})
	var letters []string
	p.eventually(t, "letters in the list", func() bool {
		code, out, err := p.ask(t, a, "dead-letters", "list", "--limit", "3", "--json")
		if code != exitOK {
			t.Fatal(out, err)
		}
		letters = letters[:0]
		for line := range strings.Lines(out) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.ID == "" || l.Reason == nil {
				t.Fatalf("%s: %v", line, err)
			}
			letters = append(letters, l.ID)
		}
		return len(letters) == 3
	})
	if code, out, _ := p.ask(t, a, "dead-letters", "list", "--content", "--limit", "1"); code != exitOK || !has(out, "from user-login-", "\n  ") {
		t.Errorf("%d %s", code, out)
	}
	if code, out, err := p.ask(t, a, "dead-letters", "replay", letters[0], letters[1]); code != exitOK || !has(out, "replayed 2 of 2", "user-login-replay") {
		t.Errorf("%d %s %s", code, out, err)
	}
	if code, out, _ := p.ask(t, a, "explain", "0", "0"); code != exitOK || !has(out, "partition 0, offset 0: ", "decode") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, err := p.ask(t, a, "explain", "0", "99999999"); code != exitFailed || !has(err, "offset") {
		t.Errorf("%d %s", code, err)
	}
	if code, out, _ := p.ask(t, a, "pause", "--reason", "an upgrade"); code != exitOK || !has(out, "stands still", "an upgrade") {
		t.Errorf("%d %s", code, out)
	}
	p.eventually(t, "a paused status", func() bool {
		_, out, _ := p.ask(t, a, "status")
		return has(out, string(model.LevelPaused), "an upgrade")
	})
	if code, out, _ := p.ask(t, a, "resume"); code != exitOK || !has(out, "reads again") {
		t.Errorf("%d %s", code, out)
	}
	p.settings["HTTP_TOKEN"] = "not-the-token-just-as-long-as-it"
	if code, _, err := p.ask(t, a, "pause"); code != exitFailed || !has(err, "HTTP_TOKEN") {
		t.Errorf("%d %s", code, err)
	}
}

func TestCommandsSayWhatTheyNeed(t *testing.T) {
	for _, c := range []struct {
		args string
		says string
	}{
		{"explain 3", "partition and its offset"}, {"explain x 1", "partition and its offset"},
		{"dead-letters", "list or replay"}, {"dead-letters erase", "list or replay"}, {"dead-letters replay", "which ones?"},
		{"dead-letters replay 0-1 --stage late", "not both"}, {"status --url nonsense", "http://host:8080"},
	} {
		p := newPlace(t)
		if code := p.main(t, strings.Fields(c.args)...); code != exitMisconfigured || !has(p.err.String(), c.says) {
			t.Errorf("%s: exit code %d: %s", c.args, code, p.err)
		}
	}
	p := newPlace(t)
	if code := p.main(t, "status", "--url", "http://127.0.0.1:1"); code != exitFailed || !has(p.err.String(), "nobody answers at http://127.0.0.1:1") {
		t.Errorf("exit code %d: %s", code, p.err)
	}
}

func TestPartitionsAreRanges(t *testing.T) {
	for want, list := range map[string][]int32{"none": nil, "4": {4}, "0-3": {0, 1, 2, 3}, "0,2-3,7": {0, 2, 3, 7}} {
		if got := partitionList(list); got != want {
			t.Errorf("%v: %s, want %s", list, got, want)
		}
	}
	many := make([]int32, 0, 500)
	for i := range int32(500) {
		many = append(many, 2*i)
	}
	if got := partitionList(many); len(got) > 200 || !strings.HasPrefix(got, "0,2,4") {
		t.Errorf("%s has %s bytes", got, strconv.Itoa(len(got)))
	}
}

// What never comes is not to be asked for again.
func TestWithoutAStorageTheAPISaysThatThereIsNone(t *testing.T) {
	p := newPlace(t)
	p.settings["STORAGE_URL"] = "none"
	a, _ := p.start(t)
	for _, path := range []string{"insights?aggregate=logins_by_device", "insights/groups?aggregate=logins_by_device&measure=logins", "anomalies", "dead-letters", "dead-letters/counts", "dead-letters/0-1"} {
		if status, body := fetch(t, a.Addr(), "/api/v1/"+path); status != http.StatusNotFound || !has(body, "STORAGE_URL") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
