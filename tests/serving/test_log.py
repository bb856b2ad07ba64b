import json
import logging

from serving.log import JsonLines


def test_a_record_is_one_line_whatever_it_holds():
    fields = {"path": '/\n{"level": "error"}\u2028', "request_id": "1"}
    record = logging.makeLogRecord({"msg": "a\nb", "levelname": "INFO", "fields": fields})
    text = JsonLines().format(record)
    assert len(text.splitlines()) == 1
    line = json.loads(text)
    assert line["path"] == fields["path"]
    assert (line["message"], line["level"], line["request_id"]) == ("a\nb", "info", "1")
    assert line["time"].endswith("Z")
