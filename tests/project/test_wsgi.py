"""Under WSGI, which has no lifespan, sampling begins with the import."""

from __future__ import annotations

import importlib

import pytest

from health import sampler


def test_sampling_starts_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []
    monkeypatch.setattr(sampler, "start", lambda: started.append(True))
    wsgi = importlib.reload(importlib.import_module("rhiz.wsgi"))

    assert started
    assert callable(wsgi.application)
