"""The pipeline on one page: how it is in words, how it has been in charts, who works, who is stuck."""

from events.admin.pipeline.page import PipelineAdmin

__all__ = ["PipelineAdmin"]
