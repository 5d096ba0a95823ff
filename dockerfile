FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# What `version` prints; the image is built without the repository's history: docker build --build-arg VERSION=1.2.3
ARG VERSION=
# CGO_ENABLED=0: a static binary, the final image has no libc. An empty /data gives a volume that is mounted there its owner.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X data-stream-engine/app.stamped=$VERSION" -o /out/data-stream-engine . && mkdir /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/data-stream-engine /data-stream-engine
COPY --from=build --chown=65532:65532 /out/data /data
COPY pipeline.yaml /pipeline.yaml
ENV HTTP_ADDR=:8080 \
    LOG_FORMAT=json \
    DATA_DIR=/data \
    PIPELINE_FILE=/pipeline.yaml
EXPOSE 8080
# No shell in the image: the binary asks itself.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/data-stream-engine", "health"]
ENTRYPOINT ["/data-stream-engine"]
