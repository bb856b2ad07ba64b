"""How long a connection is kept on which requests are refused unread."""

import asyncio
import time

import pytest
import uvicorn

from serving.web.connection import Connection

KEEP_ALIVE_S = 1
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("answered_before", [False, True])
def test_a_connection_is_kept_from_the_last_refusal_on_as_long_as_after_an_answer(monkeypatch, answered_before):
    refusing = not answered_before
    monkeypatch.setattr(Connection, "shed", staticmethod(lambda data: REFUSAL if refusing else None), raising=False)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def run():
        nonlocal refusing
        config = uvicorn.Config(
            app, port=0, http=Connection, lifespan="off", log_config=None, timeout_keep_alive=KEEP_ALIVE_S
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
        statuses = []
        for _ in range(5):
            writer.write(REQUEST)
            statuses.append((await reader.readuntil(b"\r\n\r\n"))[9:12])
            refusing = True
            await asyncio.sleep(0.6 * KEEP_ALIVE_S)
        began = time.perf_counter()
        assert await asyncio.wait_for(reader.read(), 10 * KEEP_ALIVE_S) == b""
        waited = time.perf_counter() - began
        writer.close()
        server.should_exit = True
        await serving
        return statuses, waited

    statuses, waited = asyncio.run(run())
    assert statuses == [b"200" if answered_before else b"503", *[b"503"] * 4]
    assert 0.2 * KEEP_ALIVE_S < waited < 0.8 * KEEP_ALIVE_S
