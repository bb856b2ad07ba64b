"""A stage that stands for all that have workers: two of them, which write to their files until they are ended.

python standin.py spawn | fork
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pipeline.stage import stage


def write(number: int) -> None:
    while True:
        with Path(f"worker-{number}-{os.getpid()}").open("a") as file:
            file.write("on\n")
        time.sleep(0.02)


@stage("standin", method="how its workers are started")
def main(method: str) -> None:
    try:
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            list(pool.map(write, range(2)))
    finally:
        Path("closed").touch()


if __name__ == "__main__":
    main()
