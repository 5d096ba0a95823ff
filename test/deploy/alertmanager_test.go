package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// alertmanager starts a real one with the shipped script.
func alertmanager(t *testing.T, env ...string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	addr = freeAddr(t)
	binary := "prometheus-alertmanager" // as Debian calls it
	if _, err := exec.LookPath(binary); err != nil {
		binary = "alertmanager"
	}
	full, err := exec.LookPath(binary)
	if err != nil {
		t.Fatal(err)
	}
	start(t, dir, append(env, "ALERT_CONFIG="+dir+"/alertmanager.yml", "ALERTMANAGER="+full),
		"sh", absolute(t, "deploy/alertmanager/start.sh"), "--storage.path="+dir+"/alertmanager", "--web.listen-address="+addr, "--cluster.listen-address=")
	eventually(t, 30*time.Second, func() error {
		if status, body := get(t.Context(), "http://"+addr+"/-/ready"); status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	return addr
}

// labels are those of an alert; job and severity are added.
type labels map[string]string

// muted are the alerts, by their label n, that Alertmanager keeps to itself because of another one.
func muted(t *testing.T, all ...labels) (names []string) {
	t.Helper()
	addr := alertmanager(t)
	var alerts []map[string]labels
	for _, l := range all {
		l["job"], l["severity"] = "data-stream-engine", "critical"
		alerts = append(alerts, map[string]labels{"labels": l})
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	eventually(t, 30*time.Second, func() error {
		var known []struct {
			Labels labels
			Status struct {
				State       string
				InhibitedBy []string
			}
		}
		_, text := get(t.Context(), "http://"+addr+"/api/v2/alerts")
		if err := json.Unmarshal([]byte(text), &known); err != nil || len(known) != len(all) {
			return fmt.Errorf("%d alerts of %d: %s", len(known), len(all), text)
		}
		names = nil
		for _, a := range known {
			if a.Status.State == "unprocessed" {
				return fmt.Errorf("%v is %s", a.Labels, a.Status.State)
			}
			if len(a.Status.InhibitedBy) > 0 {
				names = append(names, a.Labels["n"])
			}
		}
		return nil
	})
	slices.Sort(names)
	return names
}

// What follows from something worse is not told as well, and what has nothing to do with it is.
func TestWhatFollowsFromSomethingWorseIsNotTold(t *testing.T) {
	for name, c := range map[string]struct {
		alerts []labels
		muted  []string
	}{
		"an engine is down": {[]labels{
			{"alertname": "EngineDown", "instance": "a", "n": "cause"},
			{"alertname": "EngineNotReady", "instance": "a", "condition": "broker", "n": "its readiness"}, {"alertname": "MemoryNearLimit", "instance": "a", "n": "its memory"},
			{"alertname": "MemoryNearLimit", "instance": "b", "n": "another's memory"}, {"alertname": "LagWillNotDrain", "consumergroup": "g", "n": "lag"},
		}, []string{"its memory", "its readiness"}},
		"no engine is there": {[]labels{
			{"alertname": "NoEngine", "n": "cause"}, {"alertname": "EngineDown", "instance": "a", "n": "one of them"},
			{"alertname": "LagGrows", "consumergroup": "g", "n": "lag"}, {"alertname": "RecordsLost", "instance": "b", "n": "loss"},
		}, []string{"lag", "loss", "one of them"}},
		"no engine in one of two namespaces": {[]labels{
			{"alertname": "NoEngine", "namespace": "production", "n": "cause"},
			{"alertname": "EngineDown", "namespace": "production", "instance": "a", "n": "its own"}, {"alertname": "EngineDown", "namespace": "staging", "instance": "b", "n": "another's"},
		}, []string{"its own"}},
		"one of several is not ready": {[]labels{
			{"alertname": "EngineNotReady", "instance": "a", "n": "cause"},
			{"alertname": "WatermarkStuck", "instance": "a", "n": "its windows"}, {"alertname": "WatermarkStuck", "instance": "b", "n": "another's windows"},
			{"alertname": "NoEventsProcessed", "n": "nothing"}, {"alertname": "CommitFailures", "instance": "b", "n": "another's commits"},
		}, []string{"its windows"}},
		"lag in two ways": {[]labels{
			{"alertname": "LagWillNotDrain", "consumergroup": "g", "n": "cause"}, {"alertname": "LagGrows", "consumergroup": "g", "n": "the same"},
			{"alertname": "LagGrows", "consumergroup": "h", "n": "another group"},
		}, []string{"the same"}},
	} {
		if got := muted(t, c.alerts...); !slices.Equal(got, c.muted) {
			t.Errorf("%s: %q is kept back, not %q", name, got, c.muted)
		}
	}
}

// What wakes somebody and what can wait go to different people when there are two addresses.
func TestWarningsGoWhereTheyAreAskedFor(t *testing.T) {
	page, ticket := &hook{alerts: map[string]string{}}, &hook{alerts: map[string]string{}}
	pages, tickets := httptest.NewServer(page), httptest.NewServer(ticket)
	t.Cleanup(pages.Close)
	t.Cleanup(tickets.Close)
	addr := alertmanager(t, "ALERT_WEBHOOK_URL="+pages.URL, "ALERT_TICKET_WEBHOOK_URL="+tickets.URL)
	post := exec.CommandContext(t.Context(), "amtool", "--alertmanager.url=http://"+addr, "alert", "add", "EngineDown", "severity=critical")
	if out, err := post.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	post = exec.CommandContext(t.Context(), "amtool", "--alertmanager.url=http://"+addr, "alert", "add", "LagGrows", "severity=warning")
	if out, err := post.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, time.Minute, func() error { return page.is("EngineDown", "firing") })
	eventually(t, time.Minute, func() error { return ticket.is("LagGrows", "firing") })
	if page.is("LagGrows", "") != nil || ticket.is("EngineDown", "") != nil {
		t.Error("each of them got what is for the other")
	}
}
