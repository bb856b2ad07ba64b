"""Requests that wait together, and what they may not do to one another."""

import asyncio

import numpy as np
import pytest

from serving.model.micro_batching import MICRO_BATCH, MicroBatcher
from serving.model.recogniser import Recogniser
from serving.web.limits import MAX_WAITING
from tests import toy_model


class Work:
    """Answers each image by the value of its pixels, notes how many it was given, and cannot bear 13."""

    def __init__(self):
        self.runs = []

    def __call__(self, pixels):
        assert pixels.dtype == np.float32
        self.runs.append(len(pixels))
        if (pixels == 13).any():
            raise ValueError("thirteen")
        return [f"{image[0, 0]:.0f}" for image in pixels]


def images(*values, dtype=np.uint8):
    return np.stack([np.full((28, 28), value, dtype) for value in values])


@pytest.fixture
def work():
    return Work()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 5))


def test_all_that_wait_are_answered_by_one_run_each_with_its_own(work):
    async def ask():
        batcher = MicroBatcher(work)
        return await asyncio.gather(
            batcher.run(images(1)),
            batcher.run(images(2, 3, dtype=np.float32)),
            batcher.run(images(4)),
        )

    assert run(ask()) == [["1"], ["2", "3"], ["4"]]
    assert work.runs == [4]


def test_who_is_alone_waits_for_no_timer_and_no_second_turn(work):
    turns = 0

    async def ask():
        nonlocal turns
        asking = asyncio.ensure_future(MicroBatcher(work).run(images(1)))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        return asking.result()

    assert run(ask()) == ["1"]
    assert turns <= 4  # the request's own, the run, the answer's


def test_requests_over_sockets_that_arrive_at_once_are_answered_by_one_run(work):
    """As in the service: a task for each request, made when its bytes are read."""

    async def ask():
        batcher = MicroBatcher(work)

        async def serve(reader, writer):
            [value] = await reader.readexactly(1)
            writer.write(" ".join(await batcher.run(images(value))).encode())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            clients = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(MICRO_BATCH)]
            await asyncio.sleep(0.05)
            for number, (_, writer) in enumerate(clients):
                writer.write(bytes([number]))
            answers = [(await reader.read()).decode() for reader, _ in clients]
            for _, writer in clients:
                writer.close()
            return answers

    assert run(ask()) == [str(number) for number in range(MICRO_BATCH)]
    assert len(work.runs) < MICRO_BATCH / 2


def test_many_are_answered_in_their_order_and_between_runs_answers_go_out(work):
    answered = []

    async def ask():
        batcher = MicroBatcher(work)

        async def one(number):
            await batcher.run(images(number % 10))
            answered.append((number, len(work.runs)))

        await asyncio.gather(*(one(number) for number in range(3 * MICRO_BATCH)))

    run(ask())
    assert work.runs == [MICRO_BATCH] * 3
    assert answered == [(number, 1 + number // MICRO_BATCH) for number in range(3 * MICRO_BATCH)]


def test_a_run_holds_no_more_than_it_may(work):
    async def ask():
        batcher = MicroBatcher(work)
        return await asyncio.gather(*(batcher.run(images(*range(count))) for count in (5, MICRO_BATCH, 3, 5, 1)))

    assert [len(answers) for answers in run(ask())] == [5, MICRO_BATCH, 3, 5, 1]
    assert work.runs == [5, MICRO_BATCH, MICRO_BATCH, 1]


def test_one_that_fails_fails_alone(work):
    async def ask():
        batcher = MicroBatcher(work)
        return await asyncio.gather(*(batcher.run(images(value)) for value in (1, 13, 2)), return_exceptions=True)

    first, second, third = run(ask())
    assert (first, third) == (["1"], ["2"])
    assert isinstance(second, ValueError)


def test_who_gives_up_is_not_worked_for_and_disturbs_nobody(work):
    async def ask():
        batcher = MicroBatcher(work)
        impatient, patient, late = (asyncio.create_task(batcher.run(images(value))) for value in (1, 2, 3))
        await asyncio.sleep(0)
        impatient.cancel()
        answers = await asyncio.gather(impatient, patient, late, return_exceptions=True)
        alone = asyncio.create_task(batcher.run(images(4)))
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.wait([alone])
        return [*answers, await batcher.run(images(5))]

    gone, *others = run(ask())
    assert isinstance(gone, asyncio.CancelledError)
    assert others == [["2"], ["3"], ["5"]]
    assert work.runs == [2, 1]


def test_an_image_is_told_the_same_beside_others_as_alone(tmp_path):
    recogniser = Recogniser(toy_model.write(tmp_path / "model.onnx"))
    pixels = np.stack([toy_model.image(digit, 60 + 20 * digit) for digit in range(MICRO_BATCH)]).astype(np.float32)
    together = recogniser.predict(pixels)
    for number in range(MICRO_BATCH):
        alone = recogniser.predict(pixels[[number]])
        assert alone.reason[0] == together.reason[number]
        assert alone.prediction_set is not None
        assert together.prediction_set is not None
        assert (alone.prediction_set[0] == together.prediction_set[number]).all()
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[number], rtol=0, atol=1e-6)


def test_beyond_so_many_that_wait_the_next_is_refused_at_once(work):
    async def ask():
        batcher = MicroBatcher(work)
        asked = [asyncio.ensure_future(batcher.run(images(1))) for _ in range(MAX_WAITING + 5)]
        await asyncio.sleep(0)
        assert not batcher.capacity
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert batcher.capacity == MAX_WAITING
        return answers

    answers = run(ask())
    assert answers[:MAX_WAITING] == [["1"]] * MAX_WAITING
    assert [error.status for error in answers[MAX_WAITING:]] == [503] * 5
