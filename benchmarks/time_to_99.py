"""Time to 99.0 % of MNIST's test set: the preset `fast` against PyTorch's own MNIST example.

    python -m benchmarks.time_to_99

Only training is timed, not evaluation; nothing is compiled.
"""

from benchmarks import fast, mnist, plain

GOAL = 0.99
PATIENCE = 10


def main() -> None:
    accuracy, seconds = fast.train()
    print(f"fast: {accuracy:.2%} after {seconds:.1f} s", flush=True)
    test = mnist.load("test")
    for epoch, (model, spent) in enumerate(plain.example(*mnist.load("train")), 1):
        reached = plain.accuracy(model, *test)
        print(f"PyTorch's example: {reached:.2%} after {spent:.1f} s, epoch {epoch}", flush=True)
        if reached >= GOAL or epoch == PATIENCE:
            break
    if min(accuracy, reached) < GOAL:
        print(f"No ratio: one of them did not reach {GOAL:.1%}.")
    else:
        print(f"fast is there {spent / seconds:.1f} times sooner (bar: 20)")


if __name__ == "__main__":
    main()
