import pytest

from serving.app import ROUTES
from serving.openapi import BENTOMLS
from serving.web.ways import OTHER_NAMES, Ways

METHODS = {route.path: "POST" if "POST" in (route.methods or ()) else "GET" for route in ROUTES} | dict.fromkeys(
    BENTOMLS, "GET"
)
WAYS = Ways(METHODS)


@pytest.mark.parametrize(
    "path", ["/predict/", "//predict", "/Predict", "/v1/predict", "/api/v2/predict/", "/v1/models/digit:predict"]
)
def test_a_path_that_nearly_is_one_is_led_there(path):
    error = WAYS.error(path)
    assert (error.status, error.code) == (404, "not_found")
    assert f"at {path}: what you want may be POST /predict." in error.message


@pytest.mark.parametrize(("name", "path"), OTHER_NAMES.items())
def test_another_name_leads_to_a_path_that_there_is(name, path):
    assert name in METHODS or f"{METHODS[path]} {path}." in WAYS.error(name).message


@pytest.mark.parametrize("path", ["/nope", "/predict/x", "/page/nope.js", "/" + "a" * 5000, "/\u2028{0}"])
def test_any_other_path_is_told_what_there_is(path):
    message = WAYS.error(path).message
    assert path[:100] in message
    assert "POST /predict takes an image" in message
    assert len(message) < 300
