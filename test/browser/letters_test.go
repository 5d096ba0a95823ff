package browser

import (
	"fmt"
	"strings"
	"testing"
)

// reason opens the letters of a reason, which may be open already: what is most is in the beginning.
func (b *tab) reason(words string) {
	b.Helper()
	found := fmt.Sprintf(`[...document.querySelectorAll('.reason')].find((e) => e.innerText.includes(%s))`, quoted(words))
	b.holds("there is a reason "+words, found)
	open := found + ".ariaExpanded === 'true'"
	if !get[bool](b, open) {
		b.click(".reason", words)
	}
	b.holds("the reason "+words+" is open", open)
}

// A dead letter is found, understood, its reason is mended in the pipeline file, and its event comes out.
func TestADeadLetterIsOpenedMendedAndReplayed(t *testing.T) {
	s := serve(t, shipped(t), nil)
	at := s.send(t, login("good", "android", "10.0.0.1", "DE"), login("bad", "android", "unknown", "DE"), `{"user_id":"broken"`)
	b := open(t, s.url, look{width: 1440, height: 1000})
	b.await("#rejected", "transform", "decode", "invalid_json", "2 kept in "+s.group+"-dead-letter")
	b.reason("transform")
	b.click(".letter-row", fmt.Sprintf("p%d · %d", at[1].Partition, at[1].Offset))
	b.await(".letter", `mask_ip: text "unknown" is not an IP address`, `"user_id":"bad"`, "Failing expression, ", "mask_ip(ip)", `ip = "unknown"`, "If replayed now")
	if marked := b.text(".letter .bytes mark"); marked != `"unknown"` {
		t.Errorf("the culprit that is marked in the bytes is %s", marked)
	}
	b.click(".letter .segment", "Hex")
	b.await(".letter .bytes", "0000  7b 22 75 73 65 72")
	b.click(".letter .segment", "Text")

	write(t, s.env["PIPELINE_FILE"], strings.Replace(shipped(t), "    ip: mask_ip(ip) ", `    ip: 'ip == "unknown" ? nil : mask_ip(ip)' `, 1))
	b.click("#reload", "")
	b.await("dialog", "is loaded")
	b.click("dialog button", "Close")

	b.click(".letter-tools .button", "Replay")
	b.await("dialog", "Replay this dead letter?", s.group+"-replay")
	if focused := get[string](b, "document.activeElement.innerText"); focused != "Cancel" {
		t.Errorf("the focus is on %q", focused)
	}
	b.click("dialog button", "Replay 1")
	b.await("#receipts", "1 dead letter sent to "+s.group+"-replay")
	s.comesOut(t, `"user_id":"bad"`, `"ip":null`)
	if n := len(s.outputs(t)); n != 2 {
		t.Errorf("%d events came out, not 2", n)
	}
}

func TestAllLettersOfAReasonAreReplayedAndThoseThatFailComeBack(t *testing.T) {
	s := serve(t, shipped(t), nil)
	for i := range 5 {
		s.send(t, login(fmt.Sprint("u", i), "iOS", "nowhere", "FR"))
	}
	b := open(t, s.url, look{})
	b.await(".reason", "transform", "5")
	b.click(".reason-tools .button", "Replay all 5")
	b.await("dialog", "Replay 5 dead letters?", "come back here")
	b.click("dialog button", "Cancel")
	b.holds("nothing was done", `!document.querySelector('dialog') && !document.querySelector('.receipt')`)
	b.click(".reason-tools .button", "Replay all 5")
	b.click("dialog button", "Replay 5")
	b.await("#receipts", "5 dead letters sent to")
	b.await(".reason", "10")
	b.holds("new letters are shown or wait", `document.querySelector('.newer').checkVisibility() || document.querySelectorAll('.letter-row').length > 5`)
}
