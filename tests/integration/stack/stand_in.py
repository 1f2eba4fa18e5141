"""Stands in for a service: says that it is ready, and what environment it was given."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())


if os.environ.get("FAIL", "nothing") in sys.argv[0]:
    sys.exit("Setting SOMETHING is not set.")
HTTPServer(("127.0.0.1", int(os.environ["HTTP_PORT"])), Handler).serve_forever()
