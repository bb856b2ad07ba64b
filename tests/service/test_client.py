import http.server
import io
import threading

import pytest
from PIL import Image

from serving.client import Client, RefusedError
from tests.toy_model import image


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_asks_in_every_way_over_one_connection(server, url):
    with Client(url) as inkwell:
        assert inkwell.model()["name"] == "toy"
        place = inkwell._connection.sock.getsockname()
        assert inkwell.predict(png(image(4)))["digit"] == 4
        assert inkwell.predict_pixels(image(5).tolist())["digit"] == 5
        assert inkwell.predict_pixels((image(5) / 255).tolist(), "0-1")["digit"] == 5
        many = inkwell.predict_many(image(digit).tobytes() for digit in range(10))
        assert [answer["digit"] for answer in many] == list(range(10))
        assert inkwell._connection.sock.getsockname() == place


def test_a_refusal_says_why(url):
    with Client(url) as inkwell:
        with pytest.raises(RefusedError, match="415 unsupported_media_type: This is no image") as caught:
            inkwell.predict(b"hello")
        assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")
        assert inkwell.model()["name"] == "toy"


@pytest.fixture
def moody():
    """A service that is overloaded twice before it answers, and hangs up after each answer; what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.headers["Authorization"])
            busy = len(asked) in (1, 2)
            body = b'{"error": {"code": "overloaded", "message": "x"}, "request_id": "1"}' if busy else b"{}"
            self.send_response(503 if busy else 200)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{service.server_port}", asked
        service.shutdown()
        thread.join()


def test_it_asks_again_where_the_service_is_overloaded_or_has_hung_up(moody):
    url, asked = moody
    with Client(url, key="secret") as inkwell:
        assert inkwell.model() == {}
        assert inkwell.model() == {}
    assert asked == ["Bearer secret"] * 4


def test_it_gives_up_in_the_end(moody):
    url, asked = moody
    with Client(url, attempts=2) as inkwell, pytest.raises(RefusedError, match="503 overloaded"):
        inkwell.model()
    assert len(asked) == 2
