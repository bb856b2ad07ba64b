import json
import logging

from serving import log


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
    log.request(path=path, request_id="1")
    line = read(capsys.readouterr().err)
    assert (line["path"], line["level"], line["request_id"]) == (path, "info", "1")
