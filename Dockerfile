# syntax=docker/dockerfile:1
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# What is built, and nothing else of the directory: no history, no data of a gateway that ran here.
COPY cmd cmd
COPY config config
COPY dedup dedup
COPY formats formats
COPY gateway gateway
# A static binary: nothing of the build image is needed to run it.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/sluice ./cmd/sluice \
 && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sluice /usr/bin/sluice
COPY --from=build --chown=65532:65532 /out/data /var/lib/sluice
# Run it with --read-only: only the volume is written to.
USER 65532:65532
VOLUME /var/lib/sluice
# Syslog over TCP and UDP, and /metrics with the health endpoints; see config/docker.yaml.
COPY config/docker.yaml /etc/sluice/sluice.yaml
EXPOSE 5514/tcp 5514/udp 9514/tcp
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["/usr/bin/sluice", "health", "--config", "/etc/sluice/sluice.yaml"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["run", "--config", "/etc/sluice/sluice.yaml"]
