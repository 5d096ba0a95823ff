package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	markup = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>"'` + "`${1}"
	turned = "abc\u202edef\u2066\u200b\u0007"
)

// Everything that an event can bring is text on the page: nothing in it is obeyed, hidden, or wider than its place.
func TestHostileValuesAreShownAsText(t *testing.T) {
	s := serve(t, shipped(t), nil)
	long := strings.Repeat("W", 400)
	at := s.send(t, login("u1", "android", "10.0.0.1", markup), login("u2", "android", "10.0.0.1", long), login("u3", "android", "10.0.0.1", turned),
		`{"user_id":"u4","device_type":"iOS","ip":"10.0.0.1","app_version":null,"device_id":"1","timestamp":`+fmt.Sprint(time.Now().Unix())+`}`,
		login("u5", "android", markup, turned),
		fmt.Sprintf(`{"user_id":%s,"device_type":"web",%s:%s,%s:null,"timestamp":1}`, quoted(turned), quoted(long), quoted(long), quoted(markup)))
	bad := &kgo.Record{Key: []byte(markup + turned), Value: []byte(`{"` + markup + turned), Headers: []kgo.RecordHeader{{Key: markup, Value: []byte(turned)}, {Key: long, Value: []byte{0, 255}}}}
	if err := s.client.Send(t.Context(), s.source, bad); err != nil {
		t.Fatal(err)
	}

	b := open(t, s.url, look{})
	b.await("#insights", markup, "WWWW", "abc⟨U+202E⟩def⟨U+2066⟩⟨U+200B⟩␇")
	b.holds("what an event did not have is not the text null", `[...document.querySelectorAll('.groups .absent')].some((e) => e.innerText === 'none')`)
	b.reason("transform")
	b.click(".letter-row", "")
	b.await(".letter", "mask_ip", "<img src=x onerror=", `"ip":`+quoted(markup))
	explain(b, at[5].Partition, at[5].Offset)
	b.await("#explain", "Filtered out", "abc⟨U+202E⟩def", "WWWW")
	b.reason("decode")
	b.click(".letter-row", fmt.Sprint(bad.Offset))
	b.await(".letter", "invalid_json", markup, "abc⟨U+202E⟩def⟨U+2066⟩⟨U+200B⟩␇", "WWWW")
	explain(b, bad.Partition, bad.Offset)
	b.await("#explain", "Rejected", markup)
	explain(b, at[0].Partition, at[0].Offset)
	b.await("#explain", "Forwarded to", markup)
	newChecker(t).check(b, "a page with hostile values", "html")
	b.holds("nothing became markup", `!document.querySelector('main :is(img, script, iframe, style, b)') && window.owned === undefined`)
	b.holds("nothing turns or hides text", `!/[\u0007\u200b\u202e\u2066]/.test(document.body.innerText)`)

	// And if there were a way in, the policy would still be there.
	b.allow("Content Security Policy")
	get[bool](b, `(() => {
		const script = document.createElement('script');
		script.textContent = 'window.owned = 1';
		const image = document.createElement('img');
		image.setAttribute('onerror', 'window.owned = 1');
		image.src = 'icon.svg?' + 'x';
		document.body.append(script, image);
		return true;
	})()`)
	b.holds("code in markup does not run", `window.owned === undefined`)
}
