package browser

import (
	"fmt"
	"testing"
)

func explain(b *tab, partition int32, offset int64) {
	b.Helper()
	b.fill("#ex-partition", fmt.Sprint(partition))
	b.fill("#ex-offset", fmt.Sprint(offset))
	b.click(".explain-form button", "Explain")
}

func TestARecordIsExplainedStageByStage(t *testing.T) {
	s := serve(t, shipped(t), nil)
	at := s.send(t, login("u1", "iOS", "199.172.111.135", "RU"), login("u2", "web", "199.172.111.135", "RU"), login("u3", "iOS", "unknown", "RU"), `{"user_id":`, `{"a":x}`)
	b := open(t, s.url, look{})
	b.await("#explain .recent", "newest of")

	explain(b, at[0].Partition, at[0].Offset)
	b.await("#explain", "Forwarded to "+s.output, `"user_id":"u1"`, "lets it through", "mask_ip(ip)", "199.172.111.0", "logins_by_device", "ios, RU", "window ")
	b.click("#explain .line-no", "")
	b.holds("its line is shown in the file", `document.querySelectorAll('.yaml li.on').length === 1`)

	explain(b, at[1].Partition, at[1].Offset)
	b.await("#explain", "Filtered out", "drops it", `device_type = "web"`)
	explain(b, at[2].Partition, at[2].Offset)
	b.await("#explain", "Rejected", "is not an IP address", s.group+"-dead-letter")
	explain(b, at[3].Partition, at[3].Offset)
	b.await("#explain", "Rejected", "unexpected end of JSON")
	explain(b, at[4].Partition, at[4].Offset)
	b.await("#explain", "byte 6: ")
	b.reason("invalid_json")
	b.click(".letter-row", fmt.Sprintf("p%d · %d", at[4].Partition, at[4].Offset))
	b.await(".letter", `{"a":x}`)
	for _, place := range []string{"#explain", ".letter"} {
		if marked := b.text(place + " .bytes mark"); marked != "x" {
			t.Errorf("%s marks %q as the wrong byte", place, marked)
		}
	}

	b.allow("404")
	explain(b, at[0].Partition, 1_000_000)
	b.await("#explain .problem", "1000000")
	explain(b, 77, 0)
	b.await("#explain .problem", "77")

	b.click("#explain .recent button", "p")
	b.await("#explain .fate", ".")
}
