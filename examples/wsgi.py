"""The first app under WSGI: gunicorn examples.wsgi:application."""

from __future__ import annotations

from examples.hello import app
from heaven_wsgi import WSGIAdapter

application = WSGIAdapter(app)
