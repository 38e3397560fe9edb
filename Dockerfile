# syntax=docker/dockerfile:1
# Two images of one build: `demo` adds the workload, the checker and the report to `distributary`, which is the last and
# so the default. Both are Debian 12, so that the OpenSSL that is compiled against is the one that is run with.
#
#   docker build -t distributary --build-arg REVISION="$(git rev-parse HEAD)" .

FROM rust:1.95-slim-bookworm AS build
# librdkafka is built from source (g++, make, perl for its configure) against Debian's OpenSSL and zlib.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make perl pkg-config libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The commit is in `--version` and in the metric cdc_build_info; .git is not part of the context.
ARG REVISION
# The cache mounts keep registry and target between builds; what is wanted is copied out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    ${REVISION:+env DISTRIBUTARY_COMMIT="$REVISION"} \
    cargo build --release --locked --package distributary --package workload --package checker --package demo --bins \
 && mkdir /out \
 && cp target/release/distributary target/release/workload target/release/checker target/release/demo /out/

FROM debian:bookworm-slim AS base
# A fixed user without a name: Kubernetes can then see that it is not root.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/*
USER 65532:65532

FROM base AS demo
COPY --from=build /out/workload /out/checker /out/demo /usr/local/bin/
COPY --from=build /src/examples /usr/share/distributary/examples

FROM base AS distributary
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="distributary" \
      org.opencontainers.image.description="Keeps Elasticsearch, Redis and Neo4j in step with Postgres from Debezium's change topics on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"
COPY --from=build /out/distributary /usr/local/bin/
# A missing shared library fails the build and not the first start.
RUN ["distributary", "--version"]
# So that every command finds the mounted pipeline: `kubectl exec … -- distributary offsets show`.
ENV DISTRIBUTARY_CONFIG=/etc/distributary/distributary.yaml
EXPOSE 9464
ENTRYPOINT ["distributary"]
CMD ["run", "--config", "/etc/distributary/distributary.yaml"]
