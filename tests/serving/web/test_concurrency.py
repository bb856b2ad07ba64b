"""No more requests at once than the user allows."""

import asyncio

import pytest

from serving.errors import ApiError
from serving.web.concurrency import Concurrency


@pytest.mark.parametrize("most", [1, 3])
def test_beyond_so_many_the_next_is_told_to_come_back(most):
    async def run():
        done = asyncio.Event()

        async def app(scope, receive, send):
            await done.wait()
            if scope["path"] == "/fails":
                raise ValueError

        limited = Concurrency(app, most)

        async def nothing(*message):
            return {}

        def ask(method="POST", path="/predict"):
            return asyncio.create_task(limited({"method": method, "path": path}, nothing, nothing))

        for path in ("/predict", "/fails"):  # which frees its place too
            taken = [ask(path=path) for _ in range(most)]
            looking = ask("GET")
            await asyncio.sleep(0)
            with pytest.raises(ApiError) as refused:
                await ask()
            assert (refused.value.status, refused.value.code) == (429, "overloaded")
            assert refused.value.response("").headers["retry-after"] == "1"
            assert not any(task.done() for task in (*taken, looking))
            done.set()
            await asyncio.wait([*taken, looking])
            done.clear()
            [task.exception() for task in taken]

    asyncio.run(run())
