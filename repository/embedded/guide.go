package embedded

import "github.com/rs/zerolog"

// Guide tells a person how to look into the topics and how to feed them, in commands that can be pasted.
func (b *Broker) Guide(log zerolog.Logger, source string, outputs ...string) {
	log.Warn().Str("address", b.addr).Msg("embedded broker, NOT for production: one process, one copy of the data; set KAFKA_BOOTSTRAP_SERVERS for a real one")
	for _, line := range b.commands(source, outputs) {
		log.Info().Msg(line)
	}
}

func (b *Broker) commands(source string, outputs []string) []string {
	var lines []string
	for _, topic := range outputs {
		lines = append(lines, "watch "+topic+":  kcat -b "+b.addr+" -C -t "+topic+" -o end",
			"  or with Kafka's tools:  kafka-console-consumer.sh --bootstrap-server "+b.addr+" --topic "+topic+" --isolation-level read_committed")
	}
	return append(lines, "feed "+source+", one event a line:  kcat -b "+b.addr+" -P -t "+source,
		"  or with Kafka's tools:  kafka-console-producer.sh --bootstrap-server "+b.addr+" --topic "+source,
		"list the topics:  kcat -b "+b.addr+" -L")
}
