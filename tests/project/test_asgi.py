"""The composed application: liveness from the door, the rest from Django."""

from __future__ import annotations

import httpx

from rhiz.asgi import application


async def _get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type]  # it asks for mutable messages
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        return await client.get(path)


async def test_liveness_comes_from_the_door() -> None:
    response = await _get("/health")

    assert response.json() == {"status": "healthy"}
    assert "x-frame-options" not in response.headers


async def test_the_rest_comes_from_django() -> None:
    response = await _get("/health/")

    assert response.json() == {"status": "healthy"}
    assert "x-frame-options" in response.headers


async def test_static_files_come_from_the_application_itself() -> None:
    response = await _get("/static/admin/css/base.css")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
