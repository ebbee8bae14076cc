"""The dashboard."""

from app.web import memory as memory
