"""What was held before a run is not its own."""

import sys

import pytest

from runner.peak import forget_peak, peak_mb

SIZE = 300  # MiB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a peak anew")
def test_a_peak_that_was_forgotten_is_counted_from_what_is_held_now():
    held = bytearray(SIZE * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    before = peak_mb()
    del held
    assert peak_mb() > before - 0.2 * SIZE  # the kernel counts in batches
    forget_peak()
    assert peak_mb() < before - 0.8 * SIZE
