"""The WSGI bridge: `application = WSGIAdapter(app)` for gunicorn, waitress, uWSGI, mod_wsgi, Werkzeug's server."""

from heaven_wsgi.adapter import WSGIAdapter
from heaven_wsgi.response_body import BrokenOff

__all__ = ["BrokenOff", "WSGIAdapter"]
