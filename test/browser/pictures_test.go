//go:build pictures

package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kgo"

	"data-stream-engine/test/harness"
)

// largest is how many bytes a picture may have.
const largest = 150_000

// TestPicturesOfTheDocs makes the pictures of docs/images; scripts/screenshots.sh says where they go.
func TestPicturesOfTheDocs(t *testing.T) {
	warmUp, err := time.ParseDuration(os.Getenv("PICTURES_WARMUP"))
	if err != nil {
		t.Fatal(err)
	}
	people := &people{suite.Cluster.Client(t), rand.New(rand.NewPCG(1, 2))}
	people.client.CreateTopic(t, "user-login", 4)
	people.past(t, 35*time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); people.present(ctx, t) }()
	t.Cleanup(func() { stop(); <-ended })
	dir, address := t.TempDir(), freeAddress(t)
	write(t, filepath.Join(dir, "pipeline.yaml"), shipped(t))
	start := func() *harness.Instance {
		engine, err := suite.Spawn(dir, "engine", harness.Env{
			"KAFKA_BOOTSTRAP_SERVERS": strings.Join(suite.Cluster.Bootstrap, ","), "KAFKA_AUTO_CREATE_TOPICS": "true", "KAFKA_PARTITIONS": "4",
			"INSTANCE_ID": "engine-1", "DATA_DIR": dir, "HASH_KEY": "0123456789abcdef", "PIPELINE_FILE": "pipeline.yaml", "HTTP_ADDR": address,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(engine.Kill)
		engine.AwaitReady(t, late)
		return engine
	}
	first := start() // works off what was there, which is more in a second than comes in a minute
	time.Sleep(20 * time.Second)
	first.Kill()
	start()
	time.Sleep(warmUp)

	b := open(t, "http://"+address+"/", look{width: 1360, height: 1500})
	b.await("#health", "Healthy.")
	b.await(".groups", "android")
	picture(b, "light")
	b.scheme("dark")
	picture(b, "dark")
	b.scheme("light")
	b.section("rejected", 660) // what is most is open then
	b.await(".letter", "mask_ip", "Original bytes")
	picture(b, "dead-letter")
	b.click("#explain .recent button", "p0")
	b.await("#explain", "Records")
	b.section("explain", 1010)
	picture(b, "explain")
	phone := open(t, "http://"+address+"/", look{width: 390, height: 1500})
	phone.await("#health", "Healthy.")
	picture(phone, "phone")
}

// section makes a window as high as a section, which begins at its top.
func (b *tab) section(id string, height int64) {
	b.resize(1360, height)
	get[bool](b, `(document.getElementById(`+quoted(id)+`).scrollIntoView({behavior: 'instant'}), document.activeElement.blur(), true)`)
}

// picture writes what a tab shows now, with 256 colours.
func picture(b *tab, name string) {
	b.Helper()
	get[bool](b, `[...document.querySelectorAll('html, .yaml')].every((e) => e.style.scrollbarWidth = 'none')`)
	time.Sleep(2500 * time.Millisecond) // lines follow a new size, fades end
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.Fatal(err)
	}
	full, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced(full)); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("PICTURES_TO"), name+".png"), out.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	if out.Len() > largest {
		b.Errorf("%s has %d bytes, at most %d are allowed", name, out.Len(), largest)
	}
}

// reduced is a picture with 256 colours at most: those of most of its area, and of the rest one for all that look alike, so
// that what is seldom is not lost among the shades of letters.
func reduced(from image.Image) *image.Paletted {
	bounds := from.Bounds()
	often := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			often[color.RGBAModel.Convert(from.At(x, y)).(color.RGBA)]++
		}
	}
	list := slices.SortedFunc(maps.Keys(often), func(a, b color.RGBA) int { return often[b] - often[a] })
	palette, had := make(color.Palette, 0, 256), map[int]bool{}
	for i, c := range list {
		near := int(c.R>>4)<<8 | int(c.G>>4)<<4 | int(c.B>>4)
		if len(palette) < 256 && (i < 100 || !had[near]) {
			palette, had[near] = append(palette, c), true
		}
	}
	to := image.NewPaletted(bounds, palette)
	draw.Draw(to, bounds, from, bounds.Min, draw.Src)
	return to
}

// people log in.
type people struct {
	client *harness.Client
	random *rand.Rand
}

// perSecond is how many log in at a time: it comes and goes.
func perSecond(at time.Time) float64 { return 120 + 25*math.Sin(float64(at.Unix())/60) }

// pick is an index, small ones more often.
func (p *people) pick(n int) int { return int(float64(n) * p.random.Float64() * p.random.Float64()) }

func (p *people) login(at time.Time) *kgo.Record {
	user := fmt.Sprintf("%08x-%04x", p.random.Uint32(), p.random.IntN(1<<16))
	device, ip := []string{"android", "iOS"}[p.pick(2)], fmt.Sprintf("%d.%d.%d.%d", 11+p.random.IntN(200), p.random.IntN(256), p.random.IntN(256), 1+p.random.IntN(250))
	switch n := p.random.IntN(4000); {
	case n < 220:
		device = "webOS"
	case n == 220:
		at = at.Add(-4 * time.Minute) // it will be late
	case n < 228:
		ip = []string{"unknown", "199.172.111", "10.0.0.1:443"}[n%3]
	}
	value := fmt.Sprintf(`{"user_id":%q,"app_version":%q,"device_type":%q,"ip":%q,"locale":%q,"device_id":"%03d-%02d-%04d","timestamp":%d}`, user,
		[]string{"2.3.0", "2.2.1", "2.1.4", "2.4.0-rc1"}[p.pick(4)], device, ip, []string{"US", "IN", "BR", "DE", "RU", "JP", "GB", "FR"}[p.pick(8)],
		p.random.IntN(1000), p.random.IntN(100), p.random.IntN(10000), at.Unix())
	if p.random.IntN(3000) == 0 {
		value = value[:len(value)-20]
	}
	return &kgo.Record{Topic: "user-login", Key: []byte(user), Value: []byte(value), Timestamp: at}
}

// past writes what would have come in the last minutes, with one minute in which far more people log in from Russia.
func (p *people) past(t *testing.T, long time.Duration) {
	t.Helper()
	end := time.Now()
	odd := end.Add(-9 * time.Minute).Truncate(time.Minute)
	var records []*kgo.Record
	for at := end.Add(-long); at.Before(end); at = at.Add(time.Second) {
		for range int(perSecond(at)) {
			records = append(records, p.login(at))
		}
		for i := 0; i < 25 && at.Truncate(time.Minute).Equal(odd); i++ {
			user := fmt.Sprint("u", i)
			records = append(records, &kgo.Record{Topic: "user-login", Key: []byte(user), Value: []byte(login(user, "android", "11.2.3.4", "RU", at)), Timestamp: at})
		}
	}
	if err := p.client.Send(t.Context(), "user-login", records...); err != nil {
		t.Fatal(err)
	}
}

// present goes on as the time does.
func (p *people) present(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			var records []*kgo.Record
			for range int(perSecond(at)/10 + p.random.Float64()) {
				records = append(records, p.login(at))
			}
			if err := p.client.Send(ctx, "user-login", records...); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}
}
