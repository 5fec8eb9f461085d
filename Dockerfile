# One image for every service; docker-compose.yml gives each its command.
FROM python:3.13.13-slim AS build
WORKDIR /app
COPY requirements.lock ./
# pip works from outside the environment, so the environment itself carries none.
RUN python3 -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml ./
COPY shared shared
COPY services services
COPY vssid vssid
COPY docs/openapi.json docs/openapi.json
# Editable: templates, migrations and static files are read from /app.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e .

FROM python:3.13.13-slim
# The folders exist and have their owner before a volume is put over them: a new volume takes both from here.
RUN useradd --system --uid 10001 --home-dir /var/lib/vssid --create-home vssid \
 && install -d -m 0700 -o vssid -g vssid /var/lib/vssid /var/lib/vssid/store /var/lib/vssid/certificate \
 && install -d -o vssid -g vssid /var/lib/vssid/definitions
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/vssid \
    HTTP_HOST=0.0.0.0
USER vssid
EXPOSE 8000
ENTRYPOINT ["vssid"]
CMD ["run"]
