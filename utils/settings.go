package utils

import "time"

// Embedded is the value of KAFKA_BOOTSTRAP_SERVERS that starts a broker inside the process.
const Embedded = "embedded"

// Settings are the surroundings of the service, read from the environment. The tags are the one source of the names,
// defaults, bounds and meanings: Table, the README's table and the checks of Load all come from them.
//
// Tags: env (name), envDefault, doc (meaning), and what is accepted: oneof (a list), min and max (for numbers,
// durations and sizes), accepted (words, where the others do not say it all), required.
type Settings struct {
	Kafka  Kafka
	Engine Engine
	Around Around

	// Warnings are for the log: settings that look like ours and are not, and choices that are allowed but unwise.
	Warnings []string `env:"-"`

	environment map[string]string
}

// Kafka says where the brokers are, how to reach them, and what belongs to this deployment.
type Kafka struct {
	BootstrapServers  Addresses `env:"KAFKA_BOOTSTRAP_SERVERS" required:"true" accepted:"host:port, several separated by commas, or embedded" doc:"The brokers to ask first. embedded starts a broker inside the process: for a first look, not for production"`
	SourceTopic       string    `env:"KAFKA_SOURCE_TOPIC" pattern:"name" doc:"For the pipeline file, which reads it as ${KAFKA_SOURCE_TOPIC}"`
	OutputTopic       string    `env:"KAFKA_OUTPUT_TOPIC" pattern:"name" doc:"For the pipeline file, which reads it as ${KAFKA_OUTPUT_TOPIC}"`
	GroupID           string    `env:"KAFKA_GROUP_ID" pattern:"name" doc:"Identity of the deployment: consumer group, and prefix of its own topics and transactional ids. Default: the pipeline's name"`
	ClientID          string    `env:"KAFKA_CLIENT_ID" envDefault:"data-stream-engine" doc:"Name in the brokers' logs and quotas"`
	AutoOffsetReset   string    `env:"KAFKA_AUTO_OFFSET_RESET" envDefault:"earliest" oneof:"earliest,latest" doc:"Where a group without committed offsets begins"`
	SecurityProtocol  string    `env:"KAFKA_SECURITY_PROTOCOL" envDefault:"PLAINTEXT" oneof:"PLAINTEXT,SSL,SASL_PLAINTEXT,SASL_SSL" doc:"How to talk to the brokers"`
	SASLMechanism     string    `env:"KAFKA_SASL_MECHANISM" oneof:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" doc:"How to log in, with SASL_PLAINTEXT and SASL_SSL"`
	SASLUsername      string    `env:"KAFKA_SASL_USERNAME" doc:"Who logs in"`
	SASLPassword      Secret    `env:"KAFKA_SASL_PASSWORD" doc:"Password of KAFKA_SASL_USERNAME"`
	SSLCAFile         string    `env:"KAFKA_SSL_CA_FILE" accepted:"a PEM file" doc:"Certificate authorities that brokers are checked against. Default: those of the system"`
	SSLCertFile       string    `env:"KAFKA_SSL_CERT_FILE" accepted:"a PEM file" doc:"Client certificate (mutual TLS); read again at each connection"`
	SSLKeyFile        string    `env:"KAFKA_SSL_KEY_FILE" accepted:"a PEM file, not encrypted" doc:"Key of the client certificate"`
	Compression       string    `env:"KAFKA_COMPRESSION" envDefault:"none" oneof:"none,lz4,snappy,zstd,gzip" doc:"Compression of what is produced"`
	AutoCreateTopics  bool      `env:"KAFKA_AUTO_CREATE_TOPICS" envDefault:"false" doc:"Create the topics that do not exist. When false, a missing topic stops the start and is named"`
	Partitions        int32     `env:"KAFKA_PARTITIONS" envDefault:"-1" min:"-1" max:"10000" accepted:"-1 (the broker's default) or 1 to 10000" doc:"Partitions of the topics that are created"`
	ReplicationFactor int16     `env:"KAFKA_REPLICATION_FACTOR" envDefault:"-1" min:"-1" max:"100" accepted:"-1 (the broker's default) or 1 to 100" doc:"Replicas of the topics that are created"`
	FetchMaxBytes     Size      `env:"KAFKA_FETCH_MAX_BYTES" envDefault:"2MiB" min:"64KiB" max:"256MiB" doc:"Most bytes that one fetch asks a broker for"`
}

// Engine is how the pipeline runs.
type Engine struct {
	PipelineFile       string        `env:"PIPELINE_FILE" envDefault:"pipeline.yaml" accepted:"a YAML file" doc:"What is done with the events"`
	InstanceID         string        `env:"INSTANCE_ID" pattern:"name" doc:"Name of this instance, unique in its group, the same after a restart: then a restart moves no partition. Default: a random one for each start"`
	DeliveryGuarantee  string        `env:"DELIVERY_GUARANTEE" envDefault:"exactly_once" oneof:"exactly_once,at_least_once" doc:"exactly_once: outputs and offsets are one Kafka transaction. at_least_once: after a crash outputs may repeat"`
	CommitInterval     time.Duration `env:"COMMIT_INTERVAL" envDefault:"100ms" min:"10ms" max:"1m" doc:"Time between two commits: what an event waits at most"`
	CommitMaxRecords   int           `env:"COMMIT_MAX_RECORDS" envDefault:"100000" min:"1" max:"10000000" doc:"Commit earlier after this many events"`
	CommitMaxBytes     Size          `env:"COMMIT_MAX_BYTES" envDefault:"32MiB" min:"64KiB" max:"1GiB" doc:"Commit earlier after this many bytes"`
	EmitInterval       time.Duration `env:"EMIT_INTERVAL" envDefault:"1s" min:"100ms" max:"10m" doc:"Time between two insights of one window, and what a closed window waits at most"`
	IdleTimeout        time.Duration `env:"IDLE_TIMEOUT" envDefault:"30s" min:"1s" max:"24h" doc:"A source partition at its end that had no event for this long holds no window open"`
	SessionTimeout     time.Duration `env:"SESSION_TIMEOUT" envDefault:"10s" min:"1s" max:"30m" accepted:"1s to 30m, within the broker's own bounds (6s to 30m unless changed)" doc:"An instance silent for this long loses its partitions"`
	TransactionTimeout time.Duration `env:"TRANSACTION_TIMEOUT" envDefault:"10s" min:"1s" max:"15m" doc:"A transaction open for longer is aborted by the broker"`
	MaxPollInterval    time.Duration `env:"MAX_POLL_INTERVAL" envDefault:"5m" min:"10s" max:"24h" doc:"No progress for this long: /livez fails"`
	MaxBatchBytes      Size          `env:"MAX_BATCH_BYTES" envDefault:"64MiB" min:"1MiB" max:"1GiB" doc:"Largest record batch that is accepted, decompressed"`
	ShutdownTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" min:"1s" max:"10m" doc:"What a stop may take: finish, commit, leave"`
	HashKey            Secret        `env:"HASH_KEY" accepted:"at least 16 bytes" doc:"Key of hash(). Needed when the pipeline uses it; embedded mode makes one and keeps it in DATA_DIR"`
	DataDir            string        `env:"DATA_DIR" envDefault:"data" accepted:"a directory" doc:"What has to survive a restart of this process"`
}

// Around is everything beside the stream itself.
type Around struct {
	HTTPAddr         string        `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080" accepted:"host:port or :port; port 0 takes a free one" doc:"Where the dashboard, the API, /livez, /readyz and /metrics listen"`
	HTTPToken        Secret        `env:"HTTP_TOKEN" accepted:"at least 16 bytes of printable ASCII, no blanks" doc:"Token of the API and the dashboard. Without one everybody who reaches HTTP_ADDR may look, and only this machine itself may change anything or see events"`
	HTTPTLSCert      string        `env:"HTTP_TLS_CERT_FILE" accepted:"a PEM file" doc:"Certificate of HTTP_ADDR with its chain: then it is HTTPS. Read again when it changes"`
	HTTPTLSKey       string        `env:"HTTP_TLS_KEY_FILE" accepted:"a PEM file, not encrypted" doc:"Key of HTTP_TLS_CERT_FILE"`
	StorageURL       Secret        `env:"STORAGE_URL" accepted:"sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE, none" doc:"Where insights and dead letters are kept for the dashboard and the API. Default: SQLite's file insights.db in DATA_DIR. none: nowhere"`
	StorageRetention time.Duration `env:"STORAGE_RETENTION" envDefault:"168h" min:"1h" max:"87600h" doc:"What was written longer ago is deleted there"`
	LogLevel         string        `env:"LOG_LEVEL" envDefault:"info" oneof:"debug,info,warn,error" doc:"The least that is logged"`
	LogFormat        string        `env:"LOG_FORMAT" envDefault:"auto" oneof:"auto,console,json" doc:"auto: console on a terminal, otherwise JSON"`
	GeneratorRate    int           `env:"GENERATOR_RATE" envDefault:"0" min:"0" max:"10000000" doc:"Events a second that the built-in generator makes in embedded mode; 0: none"`
	OTLPEndpoint     string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT" accepted:"http:// or https:// and host:port of an OpenTelemetry collector (OTLP over HTTP)" doc:"Where traces go, a span for each batch; /v1/traces is added. Default: no tracing"`
	OTLPHeaders      Secret        `env:"OTEL_EXPORTER_OTLP_HEADERS" accepted:"name=value, several separated by commas, values percent-encoded" doc:"Headers of what is sent there, such as an API key"`
}

// IsEmbedded tells whether the broker is the one inside the process.
func (k Kafka) IsEmbedded() bool {
	return len(k.BootstrapServers) == 1 && k.BootstrapServers[0] == Embedded
}

// ExactlyOnce tells which guarantee was chosen.
func (e Engine) ExactlyOnce() bool { return e.DeliveryGuarantee == "exactly_once" }

// Lookup reads a variable of the environment that the settings came from, .env included: what ${NAME} in a pipeline
// file means. Variables that are set to nothing count as not set. Secrets are not handed out.
func (s *Settings) Lookup(name string) (string, bool) {
	v, ok := s.environment[name]
	return v, ok
}
