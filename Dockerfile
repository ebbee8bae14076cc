# The dashboard in a container.
#
#   docker build -t squint .
#   docker run --rm -e SQUINT_BEHIND=loopback -p 127.0.0.1:8501:8501 -v squint-library:/library --shm-size=512m squint
#
# Publish the port on 127.0.0.1 only where nobody has to sign in: SQUINT_BEHIND=loopback says that you do. With an NVIDIA GPU, build with
# --build-arg TORCH_INDEX=https://pypi.org/simple (the CUDA build of the same version) and run with --gpus all.
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 squint \
    && install -d -o squint -g squint /library

WORKDIR /app
# What the package asks for, at the tested versions: of the extras those that run, not `dev`. The folder without
# code is there so that another line of code does not install all this again.
COPY pyproject.toml requirements.txt README.md LICENSE ./
RUN mkdir squint \
    && touch squint/__init__.py \
    && pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" -c requirements.txt ".[app,cluster]" \
    && pip uninstall --yes squint \
    && rm -r squint build squint.egg-info

COPY .streamlit .streamlit
COPY squint squint
COPY app app
COPY pages pages
COPY data_samples data_samples
RUN pip install --no-cache-dir --no-deps -e .

ENV SQUINT_HOME=/library \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONUNBUFFERED=1
VOLUME /library
USER squint
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/health', timeout=4)"]

# 0.0.0.0 is the container's own network; -p above decides who reaches it.
CMD ["python", "-m", "streamlit", "run", "app/main.py", "--server.address=0.0.0.0", "--server.port=8501"]
