package service

import (
	"slices"
	"strings"

	"data-stream-engine/service/expression"
)

// synonyms are what other programs call our keys.
var synonyms = map[string][]string{
	"input": {"source"}, "from": {"source"}, "inputs": {"source"}, "sources": {"source"},
	"sink": {"output"}, "sinks": {"output"}, "to": {"output"}, "destination": {"output"}, "target": {"output"},
	"where": {"filter", "when"}, "if": {"filter", "when", "where"}, "condition": {"filter", "when", "where"}, "filter": {"when", "where"}, "when": {"filter", "where"},
	"drop": {"remove"}, "delete": {"remove"}, "exclude": {"remove"}, "only": {"keep"}, "include": {"keep"}, "select": {"keep"},
	"map": {"set"}, "mapping": {"set"}, "add": {"set"}, "fields": {"set"},
	"timestamp": {"event_time"}, "time": {"event_time"}, "partition_key": {"key"}, "record_key": {"key"},
	"aggregate": {"aggregates"}, "aggregation": {"aggregates"}, "aggregations": {"aggregates"}, "insights": {"aggregates"},
	"source": {"of"}, "on": {"of"}, "over": {"of"},
	"group": {"group_by"}, "groups": {"group_by"}, "by": {"group_by"}, "key": {"group_by"}, "keys": {"group_by"}, "dimensions": {"group_by"},
	"windows": {"window", "min_windows"}, "metrics": {"measures"}, "metric": {"measure", "measures"}, "measure": {"measures"}, "measures": {"measure"}, "functions": {"measures"}, "compute": {"measures"},
	"sliding": {"hopping"}, "hop": {"hopping", "every"}, "slide": {"hopping", "every"}, "advance": {"every"}, "step": {"every"}, "period": {"every"},
	"length": {"size", "tumbling"}, "duration": {"size", "tumbling"}, "width": {"size", "tumbling"}, "size": {"tumbling"}, "fixed": {"tumbling"}, "gap": {"session"}, "inactivity": {"session"}, "sessions": {"session"},
	"lateness": {"grace", "late"}, "allowed_lateness": {"grace"}, "grace_period": {"grace"}, "late_events": {"late"},
	"emits": {"emit"}, "trigger": {"emit"}, "retain": {"retention"}, "ttl": {"retention"}, "limit": {"max_groups"}, "max_keys": {"max_groups"},
	"anomaly": {"detect"}, "anomalies": {"detect"}, "alert": {"detect"}, "alerts": {"detect"},
	"deviation": {"sigma"}, "deviations": {"sigma"}, "stddev": {"sigma"}, "history": {"min_windows"}, "max": {"above"}, "min": {"below"},
}

// homes say where a key belongs that stands elsewhere.
var homes = map[string]string{
	"name": "at the top level", "source": "at the top level", "filter": "at the top level", "transform": "at the top level", "output": "at the top level",
	"topic": "under source and output", "event_time": "under source", "tombstones": "under source", "not_objects": "under source",
	"set": "under transform", "rename": "under transform", "keep": "under transform", "remove": "under transform",
	"key": "under output", "when": "under output",
	"aggregates": "at the top level", "max_future": "under source",
	"of": "under aggregates", "where": "under aggregates", "group_by": "under aggregates", "window": "under aggregates", "measures": "under aggregates",
	"emit": "under aggregates", "retention": "under aggregates", "late": "under aggregates", "max_groups": "under aggregates", "detect": "under aggregates",
	"tumbling": "under window", "hopping": "under window", "session": "under window", "grace": "under window", "size": "under hopping", "every": "under hopping",
	"measure": "under detect", "sigma": "under detect", "above": "under detect", "below": "under detect", "min_windows": "under detect",
}

// meant guesses what an unknown key was meant to be, out of those that are accepted where it stands.
func meant(key string, keys []string) string {
	known := strings.ToLower(key)
	for _, same := range synonyms[known] {
		if slices.Contains(keys, same) {
			return ", did you mean " + same + "?"
		}
	}
	if home, ok := homes[known]; ok && !slices.Contains(keys, known) {
		return ", it belongs " + home
	}
	if near := expression.Nearest(key, keys); near != "" {
		return ", did you mean " + near + "?"
	}
	return ""
}
