"""Proxies of how differently a network at its start sees the images of a batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench.proxy.probe import Probe, Values, gradients

__all__ = ["epe_nas", "jacob_cov", "ntk_condition", "nwot"]

SMALL = 1e-5
"""What keeps logarithms and quotients of jacob_cov and epe_nas finite, as in the releases."""

NTK_IMAGES = 32
"""The batch of TE-NAS; each image costs a pass of gradients."""


@torch.no_grad()
def nwot(probe: Probe) -> Values:
    """The logarithm of |det K|; K counts, for two images, the ReLUs that treat them alike.

    Mellor et al., ICML 2021: K = N - Hamming distance of the codes, which
    say of each of the N rectified numbers whether it is positive. A node that feeds several
    convolutions is rectified, and counted, for each.
    """
    if not probe.forward.rectified:
        probe.explain(np.ones(len(probe)), "it has no ReLU layer")
        return np.full(len(probe), np.nan)
    images = len(probe.images)
    size = (len(probe), images, images)
    alike = torch.zeros(size, dtype=torch.float64, device=probe.images.device)
    for rectified, networks in probe.forward.rectified:
        codes = rectified.reshape(images, len(networks), -1).transpose(0, 1) > 0
        signs = 2 * codes.float() - 1  # sums of signs are whole numbers: float32 is exact
        same = (signs @ signs.mT + signs.shape[2]) / 2
        alike.index_add_(0, networks, same.double())
    sign, logarithm = torch.linalg.slogdet(alike)
    probe.explain((sign == 0).cpu().numpy(), "two images have the same code")
    return np.asarray(logarithm.cpu())


def jacob_cov(probe: Probe) -> Values:
    """Minus the sum over eigenvalues s of ln(s + k) + 1 / (s + k), k = 1e-5.

    Mellor et al., 2020: the eigenvalues of the correlations between images of the gradients of
    the sum of the logits by the pixels.
    """
    values = np.full(len(probe), np.nan)
    for network, jacobian in enumerate(_jacobians(probe)):
        if (correlations := _correlations(probe, network, jacobian)) is not None:
            # Rounding may leave less than nothing of an eigenvalue of zero.
            eigenvalues = np.maximum(np.linalg.eigvalsh(correlations), 0) + SMALL
            values[network] = -(np.log(eigenvalues) + 1 / eigenvalues).sum()
    return values


def epe_nas(probe: Probe) -> Values:
    """The sum over classes of |sum of ln(|c| + k)|, k = 1e-5, c the class's correlations.

    Lopes et al., for up to 100 classes: c are, for images of one class, what `jacob_cov` takes
    for all. With more classes, what is summed up within one is divided by its images, and the
    differences of these between all pairs of classes are added up and divided by the classes.
    """
    labels = probe.labels.cpu().numpy()
    classes = probe.forward.logits.shape[2]
    values = np.full(len(probe), np.nan)
    for network, jacobian in enumerate(_jacobians(probe)):
        correlations = _correlations(probe, network, jacobian)
        if correlations is None:
            continue
        logarithms = np.log(np.abs(correlations) + SMALL)
        members = [labels == label for label in np.unique(labels)]
        sums = np.asarray([logarithms[np.ix_(own, own)].sum() for own in members])
        if classes <= 100:
            values[network] = np.abs(sums).sum()
        else:
            sums /= [own.sum() for own in members]
            values[network] = np.abs(sums[:, None] - sums).sum() / len(sums)
    return values


def ntk_condition(probe: Probe) -> Values:
    """The condition number of the neural tangent kernel of the first 32 images: low is better.

    Chen, Gong & Wang, section 3.1.1: largest by smallest eigenvalue of the products between
    images of the gradients by all weights, here of the sum of an image's logits.
    """
    images = probe.images[:NTK_IMAGES]
    logits = probe.logits(images).sum((1, 2))
    held = [
        (parameter, networks)
        for layer, networks in probe.parts(probe.module)
        for parameter in layer.parameters(recurse=False)
    ]
    found = [gradients(logit, [parameter for parameter, _ in held]) for logit in logits]
    size = (len(probe), len(images), len(images))
    kernel = torch.zeros(size, dtype=torch.float64, device=images.device)
    for each, (_, networks) in zip(zip(*found, strict=True), held, strict=True):
        rows = torch.stack([gradient.reshape(len(networks), -1) for gradient in each], 1).double()
        kernel.index_add_(0, networks, rows @ rows.mT)
    eigenvalues = np.linalg.eigvalsh(probe.finite(kernel).cpu().numpy())
    smallest, largest = eigenvalues[:, 0], eigenvalues[:, -1]
    # Beyond this the smallest is rounding.
    singular = smallest <= largest * len(images) * torch.finfo(logits.dtype).eps
    probe.explain(singular, "the kernel is singular")
    return np.where(singular, np.nan, largest / np.where(singular, 1, smallest))


def _jacobians(probe: Probe) -> NDArray[np.float64]:
    """float64 `[networks, batch, numbers]`."""
    return probe.input_jacobian.double().cpu().numpy()


def _correlations(
    probe: Probe, network: int, jacobian: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Between images, `[batch, batch]`; None where some image's gradients do not vary."""
    alone = np.arange(len(probe)) == network
    if not np.isfinite(jacobian).all():
        probe.explain(alone, "the gradients by the pixels are not finite")
        return None
    if (np.ptp(jacobian, axis=1) == 0).any():
        probe.explain(alone, "the logits do not depend on the pixels of some image")
        return None
    centred = jacobian - jacobian.mean(1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    correlations: NDArray[np.float64] = centred @ centred.T
    return correlations
