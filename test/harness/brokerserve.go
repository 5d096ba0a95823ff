package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"data-stream-engine/repository/embedded"
)

const (
	secureUser, securePassword = "engine", "engine-secret"
	adminUser, adminPassword   = "admin", "admin-secret"
)

// serveBroker is the main function of a broker process: the engine's embedded broker, and beside it, when security is
// tested, one kfake broker for each way to log in. It ends with SIGTERM or with its standard input.
func serveBroker() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1) // the parent is gone: as if killed
	}()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "broker process:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context) error {
	dir := os.Getenv(brokerDir)
	port, err := strconv.Atoi(os.Getenv(brokerPort))
	if err != nil {
		return err
	}
	broker, err := embedded.Start(ctx, embedded.Config{DataDir: dir, Port: port, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)})
	if err != nil {
		return err
	}
	lines := []string{"BOOTSTRAP=" + broker.Addr()}
	if os.Getenv(brokerSecure) == "true" {
		more, closeAll, err := secureBrokers(dir)
		if err != nil {
			return errors.Join(err, broker.Close())
		}
		defer closeAll()
		lines = append(lines, more...)
	}
	fmt.Print(strings.Join(lines, "\n"), "\n\n")
	<-ctx.Done()
	return broker.Close()
}

// secureBrokers are one cluster each for SASL_SSL, SSL with client certificates, and SASL_PLAINTEXT.
func secureBrokers(dir string) (lines []string, closeAll func(), err error) {
	files, err := makeCertificates(dir)
	if err != nil {
		return nil, nil, err
	}
	server, err := tls.LoadX509KeyPair(files.brokerCert, files.brokerKey)
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(files.ca)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	plain := &tls.Config{Certificates: []tls.Certificate{server}, MinVersion: tls.VersionTLS12}
	mutual := plain.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, roots

	var clusters []*kfake.Cluster
	closeAll = func() {
		for _, c := range clusters {
			c.Close()
		}
	}
	for _, listener := range []struct {
		name    string
		options []kfake.Opt
	}{
		{"SASL_SSL_BOOTSTRAP", append(users(), kfake.TLS(plain))},
		{"SSL_BOOTSTRAP", []kfake.Opt{kfake.TLS(mutual)}},
		{"SASL_PLAINTEXT_BOOTSTRAP", users()},
	} {
		c, err := kfake.NewCluster(append(listener.options, kfake.NumBrokers(1), kfake.DefaultNumPartitions(4))...)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		clusters = append(clusters, c)
		lines = append(lines, listener.name+"="+c.ListenAddrs()[0])
	}
	lines = append(lines, "USERNAME="+secureUser, "PASSWORD="+securePassword, "ADMIN_USERNAME="+adminUser, "ADMIN_PASSWORD="+adminPassword,
		"CA_FILE="+files.ca, "CERT_FILE="+files.clientCert, "KEY_FILE="+files.clientKey)
	return lines, closeAll, nil
}

// users are an administrator and one who may do everything until it is denied, as on a real broker of kafka.sh.
func users() []kfake.Opt {
	options := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs()}
	var acls []kfake.ACL
	for _, kind := range []kmsg.ACLResourceType{kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId, kmsg.ACLResourceTypeCluster} {
		name := "*"
		if kind == kmsg.ACLResourceTypeCluster {
			name = "kafka-cluster"
		}
		acls = append(acls, kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: kmsg.ACLOperationAll, Allow: true})
	}
	for i, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		if i > 0 {
			acls = nil
		}
		options = append(options, kfake.Superuser(mechanism, adminUser, adminPassword), kfake.User(mechanism, secureUser, securePassword, acls...))
	}
	return options
}
