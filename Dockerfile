# The node as a container: wheels from the lock files in one stage, nothing but Python and them in the other.
#
#   docker build --tag rollup-sequencer .
#   docker run --read-only --tmpfs /tmp --volume chain:/data --publish 127.0.0.1:8545:8545 rollup-sequencer devnet
#
# With --build-arg ENGINE=native the native execution engine is built and installed too.

ARG PYTHON_IMAGE=docker.io/library/python:3.13.9-slim-bookworm
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-bookworm
ARG ENGINE=reference

FROM ${PYTHON_IMAGE} AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# ------------------------------------------------------------------------------- native engine, only if asked for
FROM base AS engine-reference
RUN mkdir /engine

FROM ${RUST_IMAGE} AS engine-native
COPY --from=base /usr/local/ /usr/local/
COPY requirements/native.lock /build/requirements/
RUN pip install --no-cache-dir --require-hashes -r /build/requirements/native.lock
COPY execution/native /build/execution/native
RUN maturin build --locked --release --manifest-path /build/execution/native/Cargo.toml --out /engine

# One of the two stages above, so there is no tag to pin.
# hadolint ignore=DL3006
FROM engine-${ENGINE} AS engine

# --------------------------------------------------------------------------------------------------------- build
FROM base AS build
WORKDIR /build
COPY requirements ./requirements
RUN python -m venv /opt/sequencer \
    && /opt/sequencer/bin/pip install --require-hashes -r requirements/run.lock \
    && pip install --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY configs ./configs
COPY da ./da
COPY execution ./execution
COPY mempool ./mempool
COPY sequencer ./sequencer
COPY --from=engine /engine /engine
RUN pip wheel --no-build-isolation --no-deps --wheel-dir /engine . \
    && /opt/sequencer/bin/pip install --no-deps /engine/*.whl \
    && /opt/sequencer/bin/python -m pip uninstall --yes pip \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data

# ----------------------------------------------------------------------------------------------------------- run
FROM base AS run
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rollup-sequencer" \
      org.opencontainers.image.description="A rollup sequencer node with signed pre-confirmations" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/sequencer /opt/sequencer
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/opt/sequencer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SEQUENCER_NODE__DATA_DIR=/data \
    SEQUENCER_RPC__HOST=0.0.0.0 \
    SEQUENCER_METRICS__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8545 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/livez', timeout=2)"]
ENTRYPOINT ["sequencer"]
CMD ["run"]
