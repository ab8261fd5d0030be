# One file for linux/amd64 and linux/arm64: `docker buildx build --platform linux/amd64,linux/arm64 .`
# A release pins both base images by digest (--build-arg RUNTIME_IMAGE=…@sha256:…).
ARG BUILD_IMAGE=docker.io/library/node:26-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot
# The source of the bundle: the stage below, or an image with a bundle in /src/dist (scripts/build-image.ts).
ARG BUNDLE=build

# The bundle is the same for every platform, so it is built once, on the builder's platform.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN ["node", "scripts/build.ts"]

FROM ${BUNDLE} AS bundle

# Node caches compiled code for the next start, keyed by version, flags, CPU features and user. So the cache is filled in the
# runtime image, as its user and with its flags. Where they differ (OpenShift's user, another CPU) Node compiles again.
FROM ${RUNTIME_IMAGE} AS app
COPY --from=bundle --chown=65532:65532 /src/dist /app
COPY --chown=65532:65532 LICENSE /app/LICENSE
USER 65532:65532
WORKDIR /app
ENV NODE_COMPILE_CACHE=/app/compile-cache
RUN ["/nodejs/bin/node", "--max-semi-space-size=2", "--no-maglev", "--invocation-count-for-turbofan=100", "--expose-gc", "--disable-proto=throw", "/app/main.js", "--version"]
RUN ["/nodejs/bin/node", "--max-semi-space-size=2", "--no-maglev", "--invocation-count-for-turbofan=100", "--expose-gc", "--disable-proto=throw", "--input-type=module", "--eval", "for (const name of ['serve', 'reconcile', 'sample', 'verify']) await import(`/app/${name}.js`)"]

FROM ${RUNTIME_IMAGE}
LABEL org.opencontainers.image.title="autoscrape" \
      org.opencontainers.image.description="Writes Prometheus scrape annotations onto pods as they are created" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/autoscrape/autoscrape" \
      org.opencontainers.image.version="0.1.0"
# Owned by root, so that the process can't change its own code. Readable, because Node writes its cache for its user only.
COPY --from=app --chown=0:0 --chmod=0555 /app /app
WORKDIR /app
USER 65532:65532
# One malloc arena for all threads instead of one each: about 10 MiB less under load (test/harness/stress/heavy-bodies.ts).
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072 NODE_COMPILE_CACHE=/app/compile-cache
# The chart sets the heap's size from the container's memory limit. If you override NODE_OPTIONS, repeat it.
ENV NODE_OPTIONS=--max-old-space-size=48
# No shell, no npm, no node_modules. tools/node-flags.ts explains the flags. Source maps are next to the code but unused: Node
# would load them all at start, 25 MiB, and the code is readable without. --enable-source-maps in NODE_OPTIONS enables them.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=2", "--no-maglev", "--invocation-count-for-turbofan=100", "--expose-gc", "--disable-proto=throw", "/app/main.js"]
CMD ["--help"]
