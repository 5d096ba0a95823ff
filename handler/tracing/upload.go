package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// mostAnswer bounds what is read of a collector's answer.
const mostAnswer = 64 << 10

// upload implements otlptrace.Client, which turns spans into messages of OTLP. Its ready-made clients bring gRPC with
// them, the one for HTTP too, which would make the program a fifth larger; a POST is all that is needed. The request is
// encoded as TracesData, which has the same bytes as ExportTraceServiceRequest.
type upload struct {
	url     string
	headers map[string]string
	client  *http.Client
}

func newUpload(endpoint string, headers map[string]string) *upload {
	at, err := url.JoinPath(endpoint, "v1", "traces")
	if err != nil { // the settings have been checked; an upload will say what is wrong
		at = endpoint
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: 2 * sendEvery, ForceAttemptHTTP2: true}
	return &upload{url: at, headers: headers, client: &http.Client{
		Timeout: uploadTimeout, Transport: transport,
		// The headers hold credentials, which are for that collector alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Start implements otlptrace.Client.
func (u *upload) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (u *upload) Stop(context.Context) error {
	u.client.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client.
func (u *upload) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range u.headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", service)
	response, err := u.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", u.url, response.Status)
	}
	if err != nil {
		return fmt.Errorf("the answer of %s: %w", u.url, err)
	}
	if n, why := rejected(answer); n > 0 {
		return &partly{url: u.url, spans: n, why: why}
	}
	return nil
}

// partly says that the collector took some spans and not others.
type partly struct {
	url   string
	spans int
	why   string
}

func (p *partly) Error() string {
	return fmt.Sprintf("%s rejected %d spans: %q", p.url, p.spans, p.why)
}

// The fields of ExportTraceServiceResponse: partial_success (1), with rejected_spans (1) and error_message (2).
func rejected(answer []byte) (spans int, why string) {
	const partialSuccess, rejectedSpans, errorMessage = 1, 1, 2
	_ = fields(answer, func(n protowire.Number, _ uint64, partial []byte) {
		if n != partialSuccess {
			return
		}
		_ = fields(partial, func(n protowire.Number, value uint64, text []byte) {
			switch n {
			case rejectedSpans:
				spans = int(min(value, mostAtOnce))
			case errorMessage:
				why = string(text[:min(len(text), 200)])
			default:
			}
		})
	})
	return spans, why
}

// fields shows the numbers and the bytes of a message.
func fields(message []byte, see func(n protowire.Number, value uint64, content []byte)) error {
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		var value uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			value, size = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			content, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(n, kind, message)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		see(n, value, content)
	}
	return nil
}

// lostOf is how many of n spans were lost by an error.
func lostOf(err error, n int) int {
	if p, ok := errors.AsType[*partly](err); ok {
		return min(p.spans, n)
	}
	return n
}
