# One image for web and worker. The worker: `python manage.py runworker --health-port 8000`.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY . .
# Collecting needs settings, and these keys end with this layer's command.
RUN KEY=$(/venv/bin/python -c "import secrets; print(secrets.token_urlsafe(48))") \
    && SECRET_KEY=$KEY INTERNAL_API_KEY=$KEY ALLOWED_HOSTS=build /venv/bin/python manage.py collectstatic --noinput \
    && /venv/bin/python -m compileall -q /app

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ENV_FILE= PORT=8000
RUN useradd --system --no-create-home --uid 10001 rhiz
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER rhiz
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/livez\", timeout=2)"]
# `exec`, so that SIGTERM reaches the server itself.
CMD ["sh", "-c", "exec uvicorn rhiz.asgi:application --host 0.0.0.0 --port ${PORT} --no-access-log"]
