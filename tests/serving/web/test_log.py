import errno
import io
import json
import logging
import os
import subprocess
import sys
import time

from serving.web import log


def read(text):
    """The one line of the log."""
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert line["time"].endswith("Z")
    return line


def test_a_record_is_one_line_whatever_it_holds():
    line = read(log.JsonLines().format(logging.makeLogRecord({"msg": "a\nb\u2028", "levelname": "ERROR"})))
    assert (line["message"], line["level"]) == ("a\nb\u2028", "error")


def test_a_request_is_one_line_whatever_it_holds(capsys, monkeypatch):
    path = '/\n{"level": "error"}\u2028'
    monkeypatch.setattr(log, "out", log.sys.stderr)
    log.flush()  # what other tests left
    capsys.readouterr()
    log.request("1", "GET", path, 404, "not_found", 0.00123)
    log.request("2", "GET", "/" * 1000, 200, None, 1)
    assert not capsys.readouterr().err
    log.flush()
    log.flush()
    first, second = (read(line) for line in capsys.readouterr().err.splitlines(keepends=True))
    assert (first["path"], first["level"], first["request_id"], first["method"]) == (path, "info", "1", "GET")
    assert (first["status"], first["code"], first["ms"]) == (404, "not_found", 1.23)
    assert (len(second["path"]), second["code"], second["ms"]) == (log.LONGEST, None, 1000)


WORKER = """
import sys
from serving.web import log
for number in range(5000):
    log.request(f"{number:032x}", "POST", "/predict_pixels" + sys.argv[1] * number, 200, None, 0.001)
print("ready", flush=True)
sys.stdin.read()
log.flush()
"""


def test_the_lines_of_several_workers_stay_whole_in_one_pipe():
    reader, writer = os.pipe()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, sign], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writer
        )
        for sign in ("a", "\N{FROG FACE}")
    ]
    os.close(writer)
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin
        worker.stdin.close()
    time.sleep(0.3)  # until both wait in the middle of what they write, since the pipe is full
    with os.fdopen(reader, encoding="ascii") as pipe:
        lines = [json.loads(line) for line in pipe]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(lines) == 2 * 5000


def test_a_full_disk_loses_lines_and_not_the_service(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log, "out", Full())
    log.request("1", "GET", "/", 200, None, 1)
    log.flush()
