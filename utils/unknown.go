package utils

import (
	"slices"
	"strings"
)

// unknown names the variables that look like settings of ours and are not: a misspelt setting would otherwise be
// ignored in silence.
func unknown(environment map[string]string, fields []field) []string {
	prefixes := []string{"KAFKA_", "COMMIT_", "PIPELINE_", "GENERATOR_", "DELIVERY_", "TRANSACTION_", "INSTANCE_", "HASH_",
		"SHUTDOWN_", "MAX_POLL_", "MAX_BATCH_", "HTTP_", "LOG_", "STORAGE_", "EMIT_", "OTEL_EXPORTER_"}
	foreign := []string{"HTTP_PROXY", "KAFKA_HOME", "KAFKA_OPTS", "KAFKA_HEAP_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS",
		"KAFKA_CACHE", "KAFKA_HEAP", "KAFKA_START_TIMEOUT", "KAFKA_VERSION"} // these of scripts/
	names := make([]string, 0, len(fields)) // every name that is read, the files of secrets included
	for _, f := range fields {
		names = append(names, f.Name)
		if f.Secret {
			names = append(names, f.Name+"_FILE")
		}
	}
	var warnings []string
	for name := range environment {
		ours := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if !ours || slices.Contains(names, name) || slices.Contains(foreign, name) || fromKubernetes(name) {
			continue
		}
		text := name + " is not a setting and has no effect"
		if best := nearest(name, names); best != "" {
			text += "; did you mean " + best + "?"
		}
		warnings = append(warnings, text)
	}
	slices.Sort(warnings)
	return warnings
}

// fromKubernetes knows the variables that Kubernetes sets for each service of the namespace: a service named kafka
// gives KAFKA_SERVICE_HOST, KAFKA_PORT, KAFKA_PORT_9092_TCP_ADDR and so on.
func fromKubernetes(name string) bool {
	return strings.Contains(name, "_SERVICE_") || strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// nearest is the name with the fewest edits, if those are few.
func nearest(name string, names []string) string {
	best, least := "", len(name)/4+1
	for _, n := range names {
		if d := edits(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
