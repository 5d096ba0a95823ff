package harness

import (
	"strings"
	"time"
)

// TrafficPipeline is the shipped pipeline with aggregates of all kinds over short windows, for Traffic. TrafficAggregates
// says the same a second time, for the check.
const TrafficPipeline = `
name: user-login
source:
  topic: ${KAFKA_SOURCE_TOPIC}
  event_time: timestamp
filter: user_id not in [nil, ""] && device_type in ["android", "iOS"]
transform:
  set:
    device_type: lower(device_type)
    ip: mask_ip(ip)
    device_id: hash(device_id)
    login_at: rfc3339(timestamp)
    processed_at: now()
  remove: [timestamp]
output:
  - topic: ${KAFKA_OUTPUT_TOPIC}
    key: user_id
aggregates:
  - name: by_device
    group_by: [device_type, locale]
    window: {tumbling: 2s, grace: 1s}
    measures:
      logins: count()
      spent: sum(price)
      least: min(price)
      most: max(price)
      users: distinct(user_id)
      versions: top(app_version, 3)
      earliest: first(seq)
      latest: last(seq)
  - name: hops
    group_by: [device_type]
    window: {hopping: {size: 4s, every: 1500ms}, grace: 2s}
    measures:
      logins: count()
      mean: avg(price)
      p95: percentile(latency, 95)
      places: distinct(locale)
  - name: visits
    group_by: [user_id]
    window: {session: 1500ms, grace: 1s}
    late: drop
    measures:
      logins: count()
      spent: sum(price)
      begins: first(app_version)
      ends: last(seq)
  - name: raw
    of: source
    where: calm or price != nil
    group_by: [device_type]
    window: {tumbling: 5s, grace: 100ms}
    emit: final
    measures:
      logins: count()
      slowest: max(latency)
      phones: distinct(device_id)
  - name: all
    window: {tumbling: 1s, grace: 3s}
    measures:
      logins: count()
      users: distinct(user_id)
      spent: sum(price)
  - name: calm
    where: calm
    group_by: [device_type]
    window: {tumbling: 2s, grace: 1s}
    measures:
      logins: count()
      median: percentile(latency, 50)
`

// ChangedTrafficPipeline is TrafficPipeline with a measure and an aggregate more, and another grace: all that may change
// without a new definition.
func ChangedTrafficPipeline() string {
	text := strings.Replace(TrafficPipeline, "latest: last(seq)\n", "latest: last(seq)\n      mean: avg(price)\n", 1)
	at := strings.Index(text, "  - name: calm")
	return text[:at] + strings.Replace(text[at:], "grace: 1s", "grace: 2s", 1) + `
  - name: added
    group_by: [locale]
    window: {tumbling: 2s, grace: 1s}
    late: drop
    measures:
      logins: count()
      spent: sum(price)
`
}

// RefusedByTraffic tells which events the measures of TrafficPipeline cannot take.
func RefusedByTraffic(event Event) bool {
	_, text := event["price"].(string)
	return text
}

// TrafficAggregates is the aggregates of TrafficPipeline.
func TrafficAggregates() []Aggregate {
	seconds := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	count, spent := Measure{Name: "logins", Function: "count"}, Measure{Name: "spent", Function: "sum", Of: "price"}
	return []Aggregate{
		{
			Name: "by_device", GroupBy: []string{"device_type", "locale"}, Window: Window{Size: seconds(2), Grace: seconds(1)},
			Measures: []Measure{
				count, spent, {Name: "least", Function: "min", Of: "price"}, {Name: "most", Function: "max", Of: "price"},
				{Name: "users", Function: "distinct", Of: "user_id"}, {Name: "versions", Function: "top", Of: "app_version", Parameter: 3},
				{Name: "earliest", Function: "first", Of: "seq"}, {Name: "latest", Function: "last", Of: "seq"},
			},
		},
		{
			Name: "hops", GroupBy: []string{"device_type"}, Window: Window{Size: seconds(4), Every: seconds(1.5), Grace: seconds(2)},
			Measures: []Measure{
				count, {Name: "mean", Function: "avg", Of: "price"}, {Name: "p95", Function: "percentile", Of: "latency", Parameter: 95},
				{Name: "places", Function: "distinct", Of: "locale"},
			},
		},
		{
			Name: "visits", GroupBy: []string{"user_id"}, Window: Window{Gap: seconds(1.5), Grace: seconds(1)}, Drops: true,
			Measures: []Measure{count, spent, {Name: "begins", Function: "first", Of: "app_version"}, {Name: "ends", Function: "last", Of: "seq"}},
		},
		{
			Name: "raw", OfSource: true, GroupBy: []string{"device_type"}, Window: Window{Size: seconds(5), Grace: seconds(0.1)},
			Where:    func(event Event) bool { return event["calm"] == true || event["price"] != nil },
			Measures: []Measure{count, {Name: "slowest", Function: "max", Of: "latency"}, {Name: "phones", Function: "distinct", Of: "device_id"}},
		},
		{
			Name: "all", Window: Window{Size: seconds(1), Grace: seconds(3)},
			Measures: []Measure{count, {Name: "users", Function: "distinct", Of: "user_id"}, spent},
		},
		{
			Name: "calm", GroupBy: []string{"device_type"}, Window: Window{Size: seconds(2), Grace: seconds(1)},
			Where:    func(event Event) bool { return event["calm"] == true },
			Measures: []Measure{count, {Name: "median", Function: "percentile", Of: "latency", Parameter: 50}},
		},
	}
}

// ChangedTrafficAggregates is the aggregates of ChangedTrafficPipeline, when every engine has it from these offsets on.
func ChangedTrafficAggregates(since Offsets) []Aggregate {
	list := TrafficAggregates()
	list[0].Measures = append(list[0].Measures, Measure{Name: "mean", Function: "avg", Of: "price", Since: since})
	list[len(list)-1].Window.Grace = 2 * time.Second // its events are never late: no window shows the difference
	return append(list, Aggregate{
		Name: "added", GroupBy: []string{"locale"}, Window: Window{Size: 2 * time.Second, Grace: time.Second}, Drops: true, Since: since,
		Measures: []Measure{{Name: "logins", Function: "count"}, {Name: "spent", Function: "sum", Of: "price"}},
	})
}
