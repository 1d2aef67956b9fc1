# One image for everything that runs: the node, the command line and the operator.
#
#   just image                                                 on the bases whose digests `just pin-images` has written down
#   docker build -t wanqu --build-arg UNPINNED=yes .           on whatever images the tags name today: to try things
#   docker build -t wanqu --build-arg PREBUILT=bin FOLDER      takes the programs of FOLDER/bin as they are, and their sbom.cdx.json
#
# It holds the programs (`kubectl-wanqu` is `wanqu` under another name), the shared libraries that they name, the certificates of
# public authorities, the bill of materials of the programs (`/usr/local/share/wanqu/sbom.cdx.json`, CycloneDX), and nothing
# else: no shell, no package manager. It keeps to what buildah 1.28 understands.

# A tag may name another image tomorrow, so both must be given by digest: NAME@sha256:DIGEST.
ARG BUILD_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

# The programs and their bill, in /out.
FROM ${BUILD_IMAGE} AS programs
ARG BUILD_IMAGE
ARG BASE_IMAGE
# Not empty to build on images that are given by their tags.
ARG UNPINNED=
RUN set -eu; \
    for image in "${BUILD_IMAGE}" "${BASE_IMAGE}"; do \
        case "${UNPINNED}${image}" in \
            *@sha256:*) ;; \
            "${image}") echo "${image} is a tag, which may name another image tomorrow. Give BUILD_IMAGE and BASE_IMAGE by digest (just pin-images, just image), or UNPINNED=yes to try things." >&2; exit 1 ;; \
        esac; \
    done
# A folder of the context with programs that are built already; empty to build them here.
ARG PREBUILT=
ARG PROFILE=release
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    set -eu; mkdir -p /out; \
    if [ -n "${PREBUILT}" ]; then \
        programs="${PREBUILT}"; \
    else \
        cargo build --locked --profile "${PROFILE}" --package query-node --package wanqu-cli --package wanqu-operator --bins; \
        programs="target/$(if [ "${PROFILE}" = dev ]; then echo debug; else echo "${PROFILE}"; fi)"; \
        cargo run --locked --profile "${PROFILE}" --package wanqu-sbom > "${programs}/sbom.cdx.json"; \
    fi; \
    install -m 0644 "${programs}/sbom.cdx.json" /out/; \
    for program in query-node wanqu wanqu-operator; do install -m 0755 "${programs}/${program}" /out/; done

# What the programs need, gathered below /root-of-image.
FROM ${BASE_IMAGE} AS gathered
COPY --from=programs /out /root-of-image/usr/local/bin
RUN set -eu; \
    mkdir -p /root-of-image/usr/local/share/wanqu; \
    mv /root-of-image/usr/local/bin/sbom.cdx.json /root-of-image/usr/local/share/wanqu/; \
    if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then \
        apt-get update && apt-get install --yes --no-install-recommends ca-certificates; \
    fi; \
    cd /root-of-image; \
    mkdir -p etc/ssl/certs tmp var/lib/wanqu; \
    ln -s wanqu usr/local/bin/kubectl-wanqu; \
    chmod 1777 tmp; chown 65532:65532 var/lib/wanqu; \
    cp --dereference /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/; \
    echo 'wanqu:x:65532:65532:Wanqu:/var/lib/wanqu:/sbin/nologin' > etc/passwd; \
    echo 'wanqu:x:65532:' > etc/group; \
    if ldd usr/local/bin/* | grep 'not found'; then echo 'the base image lacks these libraries'; exit 1; fi; \
    for library in $(ldd usr/local/bin/* | grep -o '/lib[^ ]*' | sort -u); do \
        cp --dereference --parents "${library}" .; \
    done; \
    find . -exec touch --no-dereference --date=@0 {} +

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
# The image that the shared libraries and the certificates come from, which the bill does not list.
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="Wanqu" \
      org.opencontainers.image.description="A federated data platform: query node, operator and command line" \
      org.opencontainers.image.url="https://wanqu.dev" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
COPY --from=gathered /root-of-image /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# By number, so that a kubelet can tell that it is not root.
USER 65532:65532
CMD ["wanqu", "--help"]
