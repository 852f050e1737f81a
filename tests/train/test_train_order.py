"""The order in which a training sees its images, and what is done to each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import nasbench as nb
from nasbench.train.order import epoch_order

PLAIN = nb.Recipe(epochs=1)
AUGMENTED = nb.Recipe(epochs=1, crop_padding=2, flip=True)


@given(n=st.integers(1, 300), seed=st.integers(0, 2**32), epoch=st.integers(0, 10**4))
def test_an_epoch_sees_every_image_once(n: int, seed: int, epoch: int) -> None:
    order = epoch_order(AUGMENTED, n, seed, epoch)
    assert sorted(order.images.tolist()) == list(range(n))
    assert order.shifts is not None
    assert order.flips is not None
    assert order.shifts.shape == (n, 2)
    assert np.abs(order.shifts).max() <= 2
    assert order.flips.shape == (n,)
    again = epoch_order(AUGMENTED, n, seed, epoch)
    assert again.images.tolist() == order.images.tolist()
    assert again.shifts is not None
    assert again.shifts.tolist() == order.shifts.tolist()
    plain = epoch_order(PLAIN, n, seed, epoch)
    assert plain.images.tolist() == order.images.tolist()
    assert plain.shifts is None
    assert plain.flips is None


def test_orders_of_other_epochs_and_seeds_are_others() -> None:
    orders = {
        tuple(epoch_order(PLAIN, 50, seed, epoch).images.tolist())
        for seed in range(5)
        for epoch in range(5)
    }
    assert len(orders) == 25


def test_shifts_are_uniform_and_half_the_images_are_mirrored() -> None:
    order = epoch_order(AUGMENTED, 20_000, 0, 0)
    assert order.shifts is not None
    assert order.flips is not None
    table = np.histogram2d(*order.shifts.T, bins=np.arange(-2.5, 3))[0]
    assert stats.chisquare(table.ravel()).pvalue > 1e-4
    assert stats.binomtest(int(order.flips.sum()), 20_000).pvalue > 1e-4
