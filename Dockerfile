# The dashboard in a container; `compose.yaml` runs it with an engine and a database of their own.
#
#   docker build -t squint .
#   docker run --rm --init -p 127.0.0.1:8501:8501 -v squint-library:/library --shm-size=512m \
#       --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -e SQUINT_BEHIND=loopback squint
#
# With an NVIDIA GPU, build with --build-arg TORCH_INDEX=https://pypi.org/simple (the CUDA build of the same
# version) and run with --gpus all. To build from a base that never changes, name it by the digest that
# `docker buildx imagetools inspect python:3.11-slim-bookworm` prints: --build-arg BASE=python@sha256:...
ARG BASE=python:3.11-slim-bookworm

# --- what is installed, by tools that the last stage lacks
FROM ${BASE} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/venv
WORKDIR /app
# What the package asks for, at the tested versions, as pip takes them for constraints: without extras. Of the
# package's extras those that run, not `dev`. The folder without code is there so that another line of
# code does not install all this again.
COPY pyproject.toml requirements.txt README.md LICENSE ./
RUN mkdir squint \
    && touch squint/__init__.py \
    && sed 's/\[[a-z]*\]//' requirements.txt > constraints.txt \
    && /opt/venv/bin/pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" -c constraints.txt \
        ".[app,cluster,postgresql]" \
    && /opt/venv/bin/pip uninstall --yes squint
COPY squint squint
# Whoever runs it cannot write here: what Python would compile on its way is compiled now.
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps -e . \
    && /opt/venv/bin/pip uninstall --yes pip \
    && python -m compileall -q squint

# --- what runs
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --home-dir /tmp --uid 10001 squint \
    && install -d -o squint -g squint /library
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY --from=build /app /app
COPY .streamlit .streamlit
COPY app app
COPY pages pages
COPY data_samples data_samples
RUN /opt/venv/bin/python -m compileall -q app pages

ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    SQUINT_HOME=/library \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONUNBUFFERED=1
VOLUME /library
USER 10001:10001
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/health', timeout=8)"]

# 0.0.0.0 is the container's own network; -p above decides who reaches it.
CMD ["python", "-m", "streamlit", "run", "app/main.py", "--server.address=0.0.0.0", "--server.port=8501"]
