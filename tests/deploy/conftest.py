from tests.service.conftest import champions_bento  # noqa: F401
