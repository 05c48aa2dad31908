"""What all views under /internal share: who may call, and problem details for every refusal."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseFailure
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView

from events.exceptions import EnvelopeError
from events.intake import problems
from events.intake.answer import Answer
from events.intake.keys import InternalKeyAuthentication, IsInternal, StaffReadsAuthentication
from events.intake.problems import Problem, ProblemError


class InternalView(APIView):
    """Needs the key; for reading, a staff session will do. Every error is a problem of RFC 9457."""

    authentication_classes = (InternalKeyAuthentication, StaffReadsAuthentication)
    permission_classes = (IsInternal,)
    throttle_classes = ()

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # A caller that accepts problem+json only, or anything odd, gets JSON all the same, not a 406.
        return super().perform_content_negotiation(request, force=True)

    def get_exception_handler(self) -> Any:
        return problem_response


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """The response to an exception of a view; None for one that is a defect of ours."""
    problem = _problem(error)
    return None if problem is None else response(problem.answer())


def response(answer: Answer) -> HttpResponse:
    """Django's form of an answer."""
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


def _problem(error: Exception) -> Problem | None:
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, EnvelopeError):
        return problems.not_an_event(error)
    if isinstance(error, DatabaseFailure):
        return problems.database_away()
    if isinstance(error, Http404):
        return Problem(404, "", "there is nothing under this address")
    if isinstance(error, PermissionDenied):
        return Problem(403, "", "this is not allowed")
    if isinstance(error, APIException):
        headers = {}
        if error.status_code == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = getattr(error, "auth_header", "")
        if isinstance(error, MethodNotAllowed):
            return Problem(405, "", str(error.detail))
        return Problem(error.status_code, "", str(error.detail), headers=headers)
    return None
