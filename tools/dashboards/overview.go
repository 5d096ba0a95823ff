package main

// overview is for whoever is on call: is it well, what flows, how far behind, what is rejected.
func overview() []row {
	return []row{
		{"Is it well?", []panel{
			{title: "Replicas that do their work", kind: "stat", width: 4, about: "stream_engine_ready of each replica: what /readyz says.",
				queries: []query{{`sum(stream_engine_ready{` + job + `})`, "ready"}}, thresholds: []threshold{{at(0), "red"}, {at(1), "green"}}},
			{title: "In", kind: "stat", width: 4, unit: "cps", about: "Events a second, whatever became of them.",
				queries: []query{{`sum(rate(stream_engine_events_total{` + job + `,outcome!="late"}[1m]))`, "in"}}},
			{title: "Consumer lag", kind: "stat", width: 4, unit: "short", about: "Messages that wait, over all partitions that somebody has.",
				queries: []query{{`sum(kafka_consumergroup_lag{` + job + `})`, "lag"}}, thresholds: []threshold{{at(100000), "orange"}, {at(1000000), "red"}}},
			{title: "End to end, p99", kind: "stat", width: 4, unit: "s", about: "From the timestamp of the oldest event of a commit to that commit.",
				queries: []query{{`histogram_quantile(0.99, sum by (le) (rate(stream_engine_end_to_end_seconds_bucket{` + job + `}[5m])))`, "p99"}}, thresholds: []threshold{{at(5), "orange"}, {at(60), "red"}}},
			{title: "Dead letters", kind: "stat", width: 4, unit: "percentunit", about: "Share of the events of the last five minutes.",
				queries: []query{{`sum(rate(stream_engine_events_total{` + job + `,outcome="dead_letter"}[5m])) / (sum(rate(stream_engine_events_total{` + job + `,outcome!="late"}[5m])) > 0)`, "dead letters"}}, thresholds: []threshold{{at(0.01), "orange"}, {at(0.05), "red"}}},
			{title: "Transactions that failed", kind: "stat", width: 4, unit: "percentunit", about: "Aborted or of unknown outcome, of the last five minutes. Nothing is lost or doubled by them.",
				queries: []query{{`sum(rate(stream_engine_transactions_total{` + job + `,outcome!="committed"}[5m])) / (sum(rate(stream_engine_transactions_total{` + job + `}[5m])) > 0)`, "failed"}}, thresholds: []threshold{{at(0.02), "orange"}, {at(0.1), "red"}}},
		}},
		{"What flows", []panel{
			{title: "Events a second", width: 12, unit: "cps", stacked: true, about: "Late events are forwarded too, so that they are not part of this sum.",
				queries: []query{{`sum by (outcome) (rate(stream_engine_events_total{` + job + `,outcome!="late"}[1m]))`, "{{outcome}}"}}},
			{title: "Consumer lag by partition", width: 12, unit: "short", about: "One that is far above the others has too many events, or a slow broker.",
				queries: []query{{`sum by (topic, partition) (kafka_consumergroup_lag{` + job + `})`, "{{topic}} {{partition}}"}}},
			{title: "End to end", unit: "s", about: "From the timestamp of the oldest event of a commit to that commit.",
				queries: []query{
					{`histogram_quantile(0.5, sum by (le) (rate(stream_engine_end_to_end_seconds_bucket{` + job + `}[1m])))`, "p50"},
					{`histogram_quantile(0.99, sum by (le) (rate(stream_engine_end_to_end_seconds_bucket{` + job + `}[1m])))`, "p99"}}},
			{title: "Events a second by replica", unit: "cps", about: "A replica without any has no partition, or does nothing.",
				queries: []query{{`sum by (instance) (rate(stream_engine_events_total{` + job + `,outcome!="late"}[1m]))`, "{{instance}}"}}},
			{title: "Rejected and late", unit: "cps", about: "Dead letters of the pipeline, and events that missed a window.",
				queries: []query{{`sum by (outcome) (rate(stream_engine_events_total{` + job + `,outcome=~"dead_letter|late"}[1m]))`, "{{outcome}}"}}},
		}},
		{"Insights", []panel{
			{title: "Watermark behind the clock", unit: "s", about: "How long ago the event time is up to which windows are complete. A line that rises by a second a second stands still.",
				queries: []query{{`time() - min by (partition) (stream_engine_window_watermark_seconds{` + job + `})`, "partition {{partition}}"}}},
			{title: "Open windows and groups", unit: "short", about: "What is kept in memory.",
				queries: []query{{`sum(stream_engine_windows_open{` + job + `})`, "open windows"}, {`sum(stream_engine_groups{` + job + `})`, "groups"}}},
			{title: "Insights a second", unit: "cps", about: "Updates of open windows, finals, anomalies.",
				queries: []query{{`sum by (kind) (rate(stream_engine_insights_total{` + job + `}[1m]))`, "{{kind}}"}}},
		}},
		{"Replicas", []panel{
			{title: "Ready", unit: "short", about: "1 when the replica does its work.", queries: []query{{`stream_engine_ready{` + instance + `}`, "{{instance}}"}}},
			{title: "CPU", unit: "short", about: "Processors in use.", queries: []query{{`rate(process_cpu_seconds_total{` + instance + `}[1m])`, "{{instance}}"}}},
			{title: "Memory", unit: "bytes", about: "Resident set.", queries: []query{{`process_resident_memory_bytes{` + instance + `}`, "{{instance}}"}}},
		}},
	}
}
