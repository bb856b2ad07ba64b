import gzip
import hashlib
import resource
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.data.errors import DataError
from pipeline.data.fetch import Fetcher
from pipeline.data.sources import RemoteFile
from tests.pipeline import mirror as misbehaving

CONTENT = np.random.default_rng(0).bytes(200_000)
ARCHIVE = gzip.compress(CONTENT, mtime=0)
FILE = RemoteFile("digits", "mnist", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
NAME = "digits.gz"


@pytest.fixture
def mirror():
    with misbehaving.serving() as server:
        server.files[NAME] = ARCHIVE
        yield server


@pytest.fixture
def good():
    with misbehaving.serving() as server:
        server.files[NAME] = ARCHIVE
        yield server


class Fetch:
    """A fetcher into a folder, with what it told."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.lines: list[str] = []
        self.progress: list[tuple[str, int, int | None]] = []
        self.fetcher = Fetcher(
            folder,
            passed_over=self.lines.append,
            arrived=lambda *heard: self.progress.append(heard),
            stall=0.3,
        )

    def __call__(self, *mirrors: str) -> bytes:
        self.fetcher.fetch(FILE, mirrors)
        return (self.folder / "digits").read_bytes()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
    return Fetch(tmp_path)


def test_an_honest_mirror_gives_the_file_and_its_progress(fetch, mirror):
    assert fetch(mirror.url) == CONTENT
    assert fetch.left() == ["digits"]
    assert fetch.lines == []
    assert fetch.progress[-1] == ("digits", len(ARCHIVE), len(ARCHIVE))


@pytest.mark.parametrize("spelling", ["{}", "file://{}", "{}/"])
def test_a_folder_is_a_mirror_by_path_and_by_url(fetch, tmp_path_factory, spelling):
    folder = tmp_path_factory.mktemp("a mirror")
    (folder / NAME).write_bytes(ARCHIVE)
    where = spelling.format(folder)
    assert fetch(where.replace(" ", "%20") if where.startswith("file") else where) == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (misbehaving.answers(404), "answered 404"),
        (misbehaving.answers(403), "answered 403"),
        (misbehaving.answers(503), "answered 503"),
        (misbehaving.stalls_at(0), "stalled"),
        (misbehaving.stalls_at(1000), "stalled"),
        (misbehaving.drips(1, 0.02), "stalled"),
        (misbehaving.cut_at(1000), "cut off after 1000 bytes"),
        (lambda handler, body: misbehaving.whole(handler, body[:1000]), "not a gzip file, or a damaged one"),
        (lambda handler, body: misbehaving.whole(handler, b"<html>welcome</html>"), "not a gzip file"),
        (lambda handler, body: misbehaving.whole(handler, b""), "0 when decompressed, not 200000"),
        (lambda handler, body: misbehaving.whole(handler, gzip.compress(bytes(200_000))), "wrong bytes: SHA256 hash"),
        (lambda handler, body: misbehaving.whole(handler, gzip.compress(bytes(10**7))), "more than 200000"),
        (lambda handler, body: handler.wfile.write(b"nonsense\r\n\r\n"), "cut off after 0 bytes"),
    ],
)
@pytest.mark.timeout(10)
def test_a_bad_mirror_is_passed_over_with_a_line_that_says_why(fetch, mirror, good, behaviour, why):
    mirror.behaviour[NAME] = [behaviour]
    assert fetch(mirror.url, good.url) == CONTENT
    (line,) = fetch.lines
    assert mirror.url in line
    assert why in line


def test_a_mirror_without_a_server_a_folder_or_a_sensible_address_is_passed_over(fetch, good, tmp_path):
    with misbehaving.serving() as server:
        gone = server.url
    (tmp_path / NAME).mkdir()
    assert fetch(gone, "http://[", str(tmp_path / "nowhere"), str(tmp_path), good.url) == CONTENT
    assert "no connection" in fetch.lines[0]
    assert len(fetch.lines) == 4


def test_no_more_is_unpacked_than_the_file_can_be(fetch, mirror, good):
    """A gzip bomb fills no disk: here none takes a file of more than 1 MB."""
    mirror.files[NAME] = gzip.compress(bytes(10**7))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, hard))
    try:
        assert fetch(mirror.url, good.url) == CONTENT
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_busy_mirror_is_asked_again(fetch, mirror):
    mirror.behaviour[NAME] = [misbehaving.answers(503), misbehaving.honest]
    assert fetch(mirror.url) == CONTENT
    assert fetch.lines == []


def test_a_redirection_is_followed(fetch, mirror, good):
    def elsewhere(handler, body):
        handler.send_response(302)
        handler.send_header("Location", good.url + NAME)
        handler.end_headers()

    mirror.behaviour[NAME] = [elsewhere]
    assert fetch(mirror.url) == CONTENT


def test_a_download_that_was_cut_off_asks_for_the_rest_alone(fetch, mirror):
    mirror.behaviour[NAME] = [misbehaving.cut_at(150_000), misbehaving.honest]
    assert fetch(mirror.url) == CONTENT
    assert mirror.requests == [(NAME, None), (NAME, "bytes=150000-")]
    assert mirror.sent == len(ARCHIVE)


def test_a_later_run_goes_on_where_an_earlier_one_stopped(fetch, mirror):
    mirror.behaviour[NAME] = [misbehaving.stalls_at(150_000), misbehaving.honest]
    with pytest.raises(DataError):
        fetch(mirror.url)
    assert "digits" not in fetch.left()
    assert Fetch(fetch.folder)(mirror.url) == CONTENT
    assert mirror.requests[-1] == (NAME, "bytes=150000-")


def test_a_mirror_that_ignores_ranges_gives_the_whole_file(fetch, mirror):
    mirror.behaviour[NAME] = [misbehaving.cut_at(150_000), misbehaving.whole]
    assert fetch(mirror.url) == CONTENT


def test_what_came_from_one_mirror_is_not_continued_from_another(fetch, mirror, good):
    mirror.behaviour[NAME] = [misbehaving.cut_at(150_000)]
    good.files[NAME] = gzip.compress(CONTENT, compresslevel=1, mtime=1)
    assert fetch(mirror.url, good.url) == CONTENT
    assert good.requests == [(NAME, None)]


@pytest.mark.parametrize("extra", [0, 1000])
def test_a_partial_file_that_turns_out_wrong_is_thrown_away(fetch, mirror, extra):
    mirror.behaviour[NAME] = [misbehaving.stalls_at(150_000)]
    with pytest.raises(DataError):
        fetch(mirror.url)
    (partial,) = (fetch.folder / "partial").iterdir()
    partial.write_bytes(bytes(150_000 if extra == 0 else len(ARCHIVE) + extra))
    mirror.behaviour[NAME] = [misbehaving.honest]
    assert Fetch(fetch.folder)(mirror.url) == CONTENT
    assert mirror.requests[-1] == (NAME, None)


def test_a_whole_partial_file_is_used_without_fetching_it_again(fetch, mirror):
    mirror.behaviour[NAME] = [misbehaving.stalls_at(len(ARCHIVE) - 1)]
    with pytest.raises(DataError):
        fetch(mirror.url)
    (partial,) = (fetch.folder / "partial").iterdir()
    partial.write_bytes(ARCHIVE)
    mirror.behaviour[NAME] = [misbehaving.honest]
    sent = mirror.sent
    assert Fetch(fetch.folder)(mirror.url) == CONTENT
    assert mirror.sent == sent


def test_with_no_mirror_left_the_error_lists_each_and_nothing_is_written(fetch, mirror, good, tmp_path):
    mirror.behaviour[NAME] = [misbehaving.answers(404)]
    good.behaviour[NAME] = [lambda handler, body: misbehaving.whole(handler, b"no")]
    with pytest.raises(DataError) as caught:
        fetch(mirror.url, good.url, str(tmp_path / "nowhere"))
    message = str(caught.value)
    assert f"{mirror.url}: answered 404" in message
    assert f"{good.url}: not a gzip file" in message
    assert f"{tmp_path / 'nowhere'}: digits.gz: No such file or directory" in message
    assert fetch.left() == []


def test_a_mirror_that_could_not_be_reached_is_asked_last_for_the_next_file(fetch, good):
    with misbehaving.serving() as server:
        gone = server.url
    fetch(gone, good.url)
    fetch(gone, good.url)
    assert len(fetch.lines) == 1
