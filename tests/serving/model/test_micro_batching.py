"""Requests that wait together, and what they may not do to one another."""

import asyncio

import numpy as np
import pytest

from serving.model.micro_batching import LARGEST_RUN, Together
from serving.model.recogniser import Recogniser
from serving.web.limits import MOST_WAITING
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
        together = Together(work)
        return await asyncio.gather(
            together.answers(images(1)),
            together.answers(images(2, 3, dtype=np.float32)),
            together.answers(images(4)),
        )

    assert run(ask()) == [["1"], ["2", "3"], ["4"]]
    assert work.runs == [4]


def test_who_is_alone_waits_for_no_timer_and_no_second_turn(work):
    turns = 0

    async def ask():
        nonlocal turns
        asking = asyncio.ensure_future(Together(work).answers(images(1)))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        return asking.result()

    assert run(ask()) == ["1"]
    assert turns <= 4  # the request's own, the run, the answer's


def test_requests_over_sockets_that_arrive_at_once_are_answered_by_one_run(work):
    """As in the service: a task for each request, made when its bytes are read."""

    async def ask():
        together = Together(work)

        async def serve(reader, writer):
            [value] = await reader.readexactly(1)
            writer.write(" ".join(await together.answers(images(value))).encode())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            clients = [await asyncio.open_connection(*server.sockets[0].getsockname()) for _ in range(LARGEST_RUN)]
            await asyncio.sleep(0.05)
            for number, (_, writer) in enumerate(clients):
                writer.write(bytes([number]))
            answers = [(await reader.read()).decode() for reader, _ in clients]
            for _, writer in clients:
                writer.close()
            return answers

    assert run(ask()) == [str(number) for number in range(LARGEST_RUN)]
    assert len(work.runs) < LARGEST_RUN / 2


def test_many_are_answered_in_their_order_and_between_runs_answers_go_out(work):
    answered = []

    async def ask():
        together = Together(work)

        async def one(number):
            await together.answers(images(number % 10))
            answered.append((number, len(work.runs)))

        await asyncio.gather(*(one(number) for number in range(3 * LARGEST_RUN)))

    run(ask())
    assert work.runs == [LARGEST_RUN] * 3
    assert answered == [(number, 1 + number // LARGEST_RUN) for number in range(3 * LARGEST_RUN)]


def test_a_run_holds_no_more_than_it_may(work):
    async def ask():
        together = Together(work)
        return await asyncio.gather(*(together.answers(images(*range(count))) for count in (5, LARGEST_RUN, 3, 5, 1)))

    assert [len(answers) for answers in run(ask())] == [5, LARGEST_RUN, 3, 5, 1]
    assert work.runs == [5, LARGEST_RUN, LARGEST_RUN, 1]


def test_one_that_fails_fails_alone(work):
    async def ask():
        together = Together(work)
        return await asyncio.gather(*(together.answers(images(value)) for value in (1, 13, 2)), return_exceptions=True)

    first, second, third = run(ask())
    assert (first, third) == (["1"], ["2"])
    assert isinstance(second, ValueError)


def test_who_gives_up_is_not_worked_for_and_disturbs_nobody(work):
    async def ask():
        together = Together(work)
        impatient, patient, late = (asyncio.create_task(together.answers(images(value))) for value in (1, 2, 3))
        await asyncio.sleep(0)
        impatient.cancel()
        answers = await asyncio.gather(impatient, patient, late, return_exceptions=True)
        alone = asyncio.create_task(together.answers(images(4)))
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.wait([alone])
        return [*answers, await together.answers(images(5))]

    gone, *others = run(ask())
    assert isinstance(gone, asyncio.CancelledError)
    assert others == [["2"], ["3"], ["5"]]
    assert work.runs == [2, 1]


def test_an_image_is_told_the_same_beside_others_as_alone(tmp_path):
    recogniser = Recogniser(toy_model.write(tmp_path / "model.onnx"))
    pixels = np.stack([toy_model.image(digit, 60 + 20 * digit) for digit in range(LARGEST_RUN)]).astype(np.float32)
    together = recogniser.predict(pixels)
    for number in range(LARGEST_RUN):
        alone = recogniser.predict(pixels[[number]])
        assert alone.reason[0] == together.reason[number]
        assert (alone.prediction_set[0] == together.prediction_set[number]).all()
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[number], rtol=0, atol=1e-6)


def test_beyond_so_many_that_wait_the_next_is_refused_at_once(work):
    async def ask():
        together = Together(work)
        asked = [asyncio.ensure_future(together.answers(images(1))) for _ in range(MOST_WAITING + 5)]
        await asyncio.sleep(0)
        assert not together.room
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert together.room == MOST_WAITING
        return answers

    answers = run(ask())
    assert answers[:MOST_WAITING] == [["1"]] * MOST_WAITING
    assert [error.status for error in answers[MOST_WAITING:]] == [503] * 5
