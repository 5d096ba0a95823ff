package main

// internals is for an engineer who asks why: commits, brokers, rebalances, windows, the process.
func internals() []row {
	quantiles := func(metric string) []query {
		return []query{
			{`histogram_quantile(0.5, sum by (le) (rate(` + metric + `_bucket{` + instance + `}[1m])))`, "p50"},
			{`histogram_quantile(0.99, sum by (le) (rate(` + metric + `_bucket{` + instance + `}[1m])))`, "p99"},
		}
	}
	return []row{
		{"Transactions", []panel{
			{title: "Commit", unit: "s", about: "From the first request of a commit to the last answer.", queries: quantiles("stream_engine_commit_seconds")},
			{title: "Transactions a second", unit: "cps", about: "By what became of them.", queries: []query{{`sum by (outcome) (rate(stream_engine_transactions_total{` + instance + `}[1m]))`, "{{outcome}}"}}},
			{title: "Processing of a batch", unit: "s", about: "Filter, transform, route and aggregate; without waiting for brokers.", queries: quantiles("stream_engine_batch_seconds")},
			{title: "Events in a transaction", unit: "short", about: "Few: commits cost more than events. Many: COMMIT_INTERVAL could be shorter.",
				queries: []query{{`sum(rate(stream_engine_events_total{` + instance + `,outcome!="late"}[1m])) / (sum(rate(stream_engine_transactions_total{` + instance + `,outcome="committed"}[1m])) > 0)`, "events"}}},
			{title: "Attempts made again", unit: "cps", about: "By operation and class of the error. A few after a broker's restart are normal.",
				queries: []query{{`sum by (operation, class) (rate(stream_engine_retries_total{` + instance + `}[1m])) or vector(0)`, "{{operation}} {{class}}"}}},
			{title: "Rebalances", unit: "short", about: "Generations that replicas joined, in five minutes.", queries: []query{{`sum by (instance) (increase(stream_engine_rebalances_total{` + instance + `}[5m]))`, "{{instance}}"}}},
		}},
		{"Windows", []panel{
			{title: "State", unit: "bytes", about: "Memory of windows, about.", queries: []query{{`sum by (partition) (stream_engine_window_state_bytes{` + instance + `})`, "partition {{partition}}"}}},
			{title: "Partials merged a second", unit: "cps", about: "One for each group and pane of a transaction.", queries: []query{{`sum(rate(stream_engine_partials_total{` + instance + `}[1m]))`, "partials"}}},
			{title: "Idle source partitions", unit: "short", about: "They hold no window open.", queries: []query{{`sum(stream_engine_source_idle{` + instance + `})`, "idle"}}},
			{title: "Restoring", unit: "s", about: "Time that the restore of a partition took.", queries: quantiles("stream_engine_restore_seconds")},
			{title: "Corrections", unit: "short", about: "Finals that were written again, partials beyond the retention, groups beyond max_groups; in five minutes.",
				queries: []query{
					{`sum(increase(stream_engine_window_revisions_total{` + instance + `}[5m]))`, "revisions"},
					{`sum(increase(stream_engine_partials_expired_total{` + instance + `}[5m]))`, "expired"},
					{`sum(increase(stream_engine_groups_overflow_total{` + instance + `}[5m]))`, "overflow"}}},
			{title: "What should be 0", unit: "short", about: "Messages lost to retention, offsets moved back, records of a newer version, fencing by a twin; in an hour.",
				queries: []query{
					{`sum(increase(stream_engine_records_lost_total{` + instance + `}[1h]))`, "lost"},
					{`sum(increase(stream_engine_partials_overlap_total{` + instance + `}[1h]))`, "counted twice"},
					{`sum(increase(stream_engine_partials_unreadable_total{` + instance + `}[1h]))`, "unreadable"},
					{`sum(increase(stream_engine_instance_fenced_total{` + instance + `}[1h]))`, "fenced"}}},
		}},
		{"Process", []panel{
			{title: "CPU for each event", unit: "s", about: "The whole process, garbage collection included.",
				queries: []query{{`sum(rate(process_cpu_seconds_total{` + instance + `}[5m])) / (sum(rate(stream_engine_events_total{` + instance + `,outcome!="late"}[5m])) > 0)`, "seconds"}}},
			{title: "Heap", unit: "bytes", about: "In use, and what the limit is when there is one.",
				queries: []query{{`sum by (instance) (go_memstats_heap_inuse_bytes{` + instance + `})`, "{{instance}}"}, {`max(go_gc_gomemlimit_bytes{` + instance + `} < 1e15) or vector(0)`, "GOMEMLIMIT"}}},
			{title: "Garbage collection", unit: "percentunit", about: "Its share of the CPU.",
				queries: []query{{`sum by (instance) (rate(go_cpu_classes_gc_total_cpu_seconds_total{` + instance + `}[5m])) / sum by (instance) (rate(process_cpu_seconds_total{` + instance + `}[5m]))`, "{{instance}}"}}},
			{title: "Goroutines", unit: "short", about: "A line that only rises is a leak.", queries: []query{{`go_goroutines{` + instance + `}`, "{{instance}}"}}},
			{title: "Open files", unit: "short", about: "Sockets to brokers for the most part.", queries: []query{{`process_open_fds{` + instance + `}`, "{{instance}}"}}},
			{title: "Versions", unit: "short", about: "What runs where.", queries: []query{{`count by (version, goversion) (stream_engine_build_info{` + instance + `})`, "{{version}} {{goversion}}"}}},
		}},
	}
}
