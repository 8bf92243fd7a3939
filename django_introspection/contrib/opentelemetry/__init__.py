"""Spans and metrics by the API of OpenTelemetry: the project chooses the SDK, the exporters and the propagators."""
