import errno
import io
import json
import logging

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


def test_a_full_disk_loses_lines_and_not_the_service(monkeypatch):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log, "out", Full())
    log.request("1", "GET", "/", 200, None, 1)
    log.flush()
