"""All benchmarks of speed, one after the other.

python -m benchmarks
"""

from benchmarks import serving, time_to_99, training

if __name__ == "__main__":
    training.main()
    time_to_99.main()
    serving.main(serving.NETWORKS)
