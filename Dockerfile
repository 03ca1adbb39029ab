# The service, as a user without a name, on a root that nobody writes to: docs/serving.md.
FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/vivant
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN /opt/vivant/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve]'

FROM python:3.11-slim
COPY --from=build /opt/vivant /opt/vivant
# With --read-only, what is kept for the next start (which runtime is fastest) goes to --tmpfs /tmp.
ENV PATH=/opt/vivant/bin:$PATH PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/tmp
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-c", \
    "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["vivant", "serve", "--host", "0.0.0.0"]
CMD ["--keys", "/run/secrets/keys.json"]
