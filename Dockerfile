# The operator's image, for those who build with Docker or podman. `cargo xtask image` makes the same one without.
#
#   docker build -t obstack-operator .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/obstack-operator:0.1.0 --push .

# helm is a Go program; both are built where they will run, so that each platform gets its own.
FROM golang:1.26-bookworm AS go

FROM rust:1.95-bookworm AS build
COPY --from=go /usr/local/go /usr/local/go
ENV PATH=/usr/local/go/bin:$PATH XDG_CACHE_HOME=/cache GOMODCACHE=/cache/go-mod
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/src/target --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/cache \
    cargo xtask image --root /image

FROM scratch
LABEL org.opencontainers.image.title="obstack-operator" \
      org.opencontainers.image.description="Kubernetes operator for environments of Tempo and Mimir" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV OBSTACK_CACHE_DIR=/tmp/obstack-cache
USER 65532:65532
ENTRYPOINT ["/usr/bin/obstack-operator"]
